//! The server names that a certificate is for.
//!
//! A server with several certificates shows the one that matches the name which
//! the client requests (RFC 6066, section 3). The match follows RFC 9525, the
//! successor of RFC 6125: only the names in the subject alternative name count,
//! and a wildcard is the whole first label and stands for exactly one label.
//! Nothing here validates a certificate; clients do.

use crate::der::{OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, any_element, element, elements};

/// The names that a certificate is for, and the kind of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateNames {
    /// DNS names, in lower case; some may begin with `*.`.
    names: Vec<String>,
    /// The algorithm of its key with its parameters, as in the certificate.
    kind_of_key: Vec<u8>,
}

/// How well a certificate matches a server name; the better match is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The certificate has the name itself.
    Exact,
    /// The certificate has a wildcard that matches the name.
    Wildcard,
}

impl CertificateNames {
    /// Reads the names from a certificate in DER form (RFC 5280, section 4.1);
    /// `None` if it is not a certificate. Without a subject alternative name,
    /// there are no names.
    pub fn of(certificate: &[u8]) -> Option<CertificateNames> {
        /// Extensions have the context-specific tag 3.
        const EXTENSIONS: u8 = 0xa3;
        /// 2.5.29.17
        const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
        const DNS_NAME: u8 = 0x82;

        let (whole, _) = element(certificate, SEQUENCE)?;
        let (told, _) = element(whole, SEQUENCE)?;
        // The version, if present, comes first; then the serial number, the
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
            // The extension's critical flag may come before.
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

    /// Tells how this certificate matches a server name, ignoring case.
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

    /// Tells whether every client that could get this certificate gets the
    /// earlier one instead: that one has all of these names, and a key of the
    /// same kind.
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
