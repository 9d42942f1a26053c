//! What can be checked in certificate files without a password.
//!
//! A PKCS#12 file is recognized by its outer structure, a PEM file by its
//! sections. Whether key and certificate belong together is known only when the
//! server starts.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::ber::to_der;
use crate::certificate_names::CertificateNames;
use crate::der::{INTEGER, OBJECT_IDENTIFIER, SEQUENCE, element};
use crate::pem::without_byte_order_marks;

/// Tells whether this is a PKCS#12 file (RFC 7292), usually named `.pfx` or
/// `.p12`.
///
/// Checks the outer structure, which is not encrypted: a sequence of the
/// version, which is 3, and of content whose type is one of PKCS#7's. It may be
/// in BER.
pub fn is_pkcs12(file: &[u8]) -> bool {
    /// 1.2.840.113549.1.7, PKCS#7, which is followed by one more number.
    const PKCS7: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];

    let der = to_der(file);
    let frame = || {
        let (whole, behind) = element(der.as_deref().unwrap_or(file), SEQUENCE)?;
        let (version, rest) = element(whole, INTEGER)?;
        let (content, _) = element(rest, SEQUENCE)?;
        let (content_type, _) = element(content, OBJECT_IDENTIFIER)?;
        Some(behind.is_empty() && version == [3] && content_type.starts_with(&PKCS7))
    };
    frame().unwrap_or(false)
}

/// Tells whether this is a PEM file (RFC 7468) that holds a certificate, and no
/// unreadable one.
///
/// # Errors
///
/// What is wrong with it, to be put after the file's name.
pub fn holds_pem_certificate(file: &[u8]) -> Result<(), String> {
    let file = without_byte_order_marks(file);
    let mut certificates = CertificateDer::pem_slice_iter(&file).peekable();
    if certificates.peek().is_none() {
        return Err("holds no certificate in PEM form".to_owned());
    }
    match certificates.find_map(Result::err) {
        Some(error) => Err(format!("is not a valid PEM file: {error}")),
        None => Ok(()),
    }
}

/// Returns the names of the first certificate of a PEM file, which is the
/// server's own; `None` if it can't be read.
pub fn names_in_pem(file: &[u8]) -> Option<CertificateNames> {
    let file = without_byte_order_marks(file);
    CertificateNames::of(&CertificateDer::pem_slice_iter(&file).next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 19] = [
        0x30, 0x11, 0x02, 0x01, 0x03, 0x30, 0x0c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
        0x01, 0x07, 0x01, 0xa0,
    ];

    #[test]
    fn a_pkcs12_file_is_known_by_its_frame() {
        assert!(is_pkcs12(&FRAME));
        assert!(!is_pkcs12(&FRAME[..18]), "cut off");
        assert!(!is_pkcs12(&[&FRAME[..], b"\n"].concat()), "something follows");
        let mut ber = [&[0x30, 0x80], &FRAME[2..5], &[0x30, 0x80], &FRAME[7..18], &[0; 4]].concat();
        assert!(is_pkcs12(&ber), "with indefinite lengths");
        ber.push(0);
        assert!(!is_pkcs12(&ber), "something follows");
        let version_1 = [&FRAME[..4], &[1], &FRAME[5..]].concat();
        assert!(!is_pkcs12(&version_1));
        for other in ["", "0", "-----BEGIN CERTIFICATE-----", "0\u{7f}"] {
            assert!(!is_pkcs12(other.as_bytes()), "{other:?}");
        }
        assert!(!is_pkcs12(&[0x30, 0xff, 0xff]), "a length without bytes");
        assert!(!is_pkcs12(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), "a length beyond the end");
    }

    #[test]
    fn a_pem_file_is_known_by_its_sections() {
        let section = |name: &str, body: &str| {
            format!("-----BEGIN {name}-----\n{body}\n-----END {name}-----\n")
        };
        let check = |file: &str| holds_pem_certificate(file.as_bytes());
        assert_eq!(check(&section("CERTIFICATE", "AAAA")), Ok(()));
        assert_eq!(check(&format!("\u{feff}{}", section("CERTIFICATE", "AAAA"))), Ok(()));
        let key = section("EC PRIVATE KEY", "AAAA");
        assert_eq!(check(&key), Err("holds no certificate in PEM form".to_owned()));
        assert_eq!(check("AAAA"), check(&key));
        assert!(
            check(&section("CERTIFICATE", "A*A")).unwrap_err().starts_with("is not a valid PEM")
        );
        assert!(check("-----BEGIN CERTIFICATE-----\nAAAA\n").is_err());
    }
}
