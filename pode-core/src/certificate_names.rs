//! Which server names a certificate is for.
//!
//! A server with several certificates shows the one that fits the name which
//! the client asks for (RFC 6066, section 3). What fits is said by RFC 9525,
//! which follows RFC 6125: only the names of the subject alternative name
//! count, and a wildcard is a whole label, the first, and stands for exactly
//! one. Nothing here judges a certificate; that is the clients' business.

use crate::der::{OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, any_element, element, elements};

/// The names that a certificate is for, and the kind of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateNames {
    /// DNS names, in lower case; some may begin with `*.`.
    names: Vec<String>,
    /// The algorithm of its key with its parameters, as in the certificate.
    kind_of_key: Vec<u8>,
}

/// How well a certificate fits a server name; the better one is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The name itself is in it.
    Exact,
    /// A wildcard in it stands for the name.
    Wildcard,
}

impl CertificateNames {
    /// Reads them from a certificate in DER form (RFC 5280, section 4.1);
    /// `None` if it is none. Without a subject alternative name there are no
    /// names.
    pub fn of(certificate: &[u8]) -> Option<CertificateNames> {
        /// Extensions have the number 3, and number their own.
        const EXTENSIONS: u8 = 0xa3;
        /// 2.5.29.17
        const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
        const DNS_NAME: u8 = 0x82;

        let (whole, _) = element(certificate, SEQUENCE)?;
        let (told, _) = element(whole, SEQUENCE)?;
        // The version comes first, if it is told; then the serial number, the
        // algorithm, the issuer, the validity, the subject and its key.
        let skipped = usize::from(any_element(told)?.0 == 0xa0);
        let (tag, key) = elements(told).nth(skipped + 5)?;
        let kind_of_key = (tag == SEQUENCE).then(|| element(key, SEQUENCE)).flatten()?.0.to_vec();

        let mut names = Vec::new();
        let extensions = elements(told).skip(skipped + 6).find(|(tag, _)| *tag == EXTENSIONS);
        let extensions = extensions.and_then(|(_, content)| element(content, SEQUENCE));
        for (_, extension) in extensions.iter().flat_map(|(list, _)| elements(list)) {
            let (identifier, rest) = element(extension, OBJECT_IDENTIFIER)?;
            if identifier != SUBJECT_ALTERNATIVE_NAME {
                continue;
            }
            // It may say that it is critical before.
            let (_, value) = elements(rest).find(|(tag, _)| *tag == OCTET_STRING)?;
            let dns = elements(element(value, SEQUENCE)?.0).filter(|(tag, _)| *tag == DNS_NAME);
            names.extend(dns.filter_map(|(_, name)| {
                std::str::from_utf8(name).ok().map(str::to_ascii_lowercase)
            }));
        }
        Some(CertificateNames { names, kind_of_key })
    }

    /// Returns the DNS names, in lower case and in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Tells how a server name fits, of which the case doesn't matter.
    pub fn fit(&self, server_name: &str) -> Option<Fit> {
        let name = server_name.strip_suffix('.').unwrap_or(server_name);
        if self.names.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Some(Fit::Exact);
        }
        let (first, behind) = name.split_once('.')?;
        let stands_for = |own: &String| {
            own.strip_prefix("*.").is_some_and(|own| own.eq_ignore_ascii_case(behind))
        };
        let wildcard = !first.is_empty() && self.names.iter().any(stands_for);
        wildcard.then_some(Fit::Wildcard)
    }

    /// Tells whether everyone who could be shown this certificate is shown the
    /// earlier one: it has the same names and more, and a key of the same kind.
    pub fn is_hidden_by(&self, earlier: &CertificateNames) -> bool {
        self.kind_of_key == earlier.kind_of_key
            && self.names.iter().all(|name| earlier.names.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(names: &[&str]) -> CertificateNames {
        CertificateNames {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            kind_of_key: Vec::new(),
        }
    }

    #[test]
    fn a_wildcard_is_one_whole_label_and_the_first() {
        let names = with(&["shop.example", "*.shop.example", "f*.example", "a.*.example"]);
        let cases = [
            ("shop.example", Some(Fit::Exact)),
            ("SHOP.Example.", Some(Fit::Exact)),
            ("www.shop.example", Some(Fit::Wildcard)),
            ("WWW.SHOP.EXAMPLE", Some(Fit::Wildcard)),
            ("a.b.shop.example", None),
            (".shop.example", None),
            ("xshop.example", None),
            ("foo.example", None),
            ("a.b.example", None),
            ("example", None),
            ("", None),
        ];
        for (name, fit) in cases {
            assert_eq!(names.fit(name), fit, "{name}");
        }
        assert!(Fit::Exact < Fit::Wildcard);
    }

    #[test]
    fn a_certificate_is_hidden_by_one_of_the_same_names_and_kind() {
        let both = with(&["a.example", "b.example"]);
        assert!(with(&["b.example"]).is_hidden_by(&both));
        assert!(with(&[]).is_hidden_by(&both));
        assert!(!both.is_hidden_by(&with(&["b.example"])));
        let of_another_kind = CertificateNames { kind_of_key: vec![1], ..both.clone() };
        assert!(!of_another_kind.is_hidden_by(&both));
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        for other in [&b""[..], b"0", b"\x30\x00", b"\x30\x02\x30\x00", &[0xff; 64]] {
            assert_eq!(CertificateNames::of(other), None, "{other:?}");
        }
    }
}
