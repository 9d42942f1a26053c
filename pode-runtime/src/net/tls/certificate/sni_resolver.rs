//! Chooses which of several certificates a client is shown.

use std::sync::Arc;

use pode_core::Fit;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::LoadedCertificate;

/// The certificates of an address; there is at least one.
#[derive(Debug)]
pub(super) struct SniResolver {
    certificates: Vec<LoadedCertificate>,
}

impl SniResolver {
    pub(super) fn new(certificates: Vec<LoadedCertificate>) -> SniResolver {
        SniResolver { certificates }
    }

    /// Chooses the first that fits best and whose key the client `can_use`;
    /// otherwise the first with such a key; otherwise the first, whose failure
    /// is as good as any.
    fn choose(
        &self,
        server_name: Option<&str>,
        can_use: impl Fn(&CertifiedKey) -> bool,
    ) -> Option<Arc<CertifiedKey>> {
        let usable = || self.certificates.iter().filter(|shown| can_use(&shown.pair));
        let fit =
            |shown: &LoadedCertificate| -> Option<Fit> { shown.names.as_ref()?.fit(server_name?) };
        let best = usable().filter_map(|shown| Some((fit(shown)?, shown)));
        // The first of several that fit equally.
        let best = best.min_by_key(|(fit, _)| *fit).map(|(_, shown)| shown);
        let chosen = best.or_else(|| usable().next()).or_else(|| self.certificates.first())?;
        Some(Arc::clone(&chosen.pair))
    }
}

impl ResolvesServerCert for SniResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let can_use =
            |pair: &CertifiedKey| pair.key.choose_scheme(hello.signature_schemes()).is_some();
        self.choose(hello.server_name(), can_use)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::client::verify_server_name;
    use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use rustls::server::ParsedCertificate;

    use crate::net::tls::certificate::key::signing_key;

    fn certificate(names: &[&str]) -> LoadedCertificate {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = CertificateParams::new(names).expect("names").self_signed(&key);
        let made = made.expect("a certificate");
        let key = signing_key(PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        LoadedCertificate::new(
            "test".to_owned(),
            CertifiedKey::new(vec![made.into()], key.expect("a key")),
        )
    }

    #[test]
    fn the_name_chooses_and_the_first_is_for_everyone_else() {
        let choice = SniResolver::new(vec![
            certificate(&["first.example"]),
            certificate(&["*.shop.example", "shop.example"]),
            certificate(&["www.shop.example", "shop.example"]),
            certificate(&[]),
        ]);
        let index = |name: Option<&str>, usable: &[usize]| {
            let all = || choice.certificates.iter().map(|shown| &shown.pair);
            let can_use = |pair: &CertifiedKey| {
                let index = all().position(|other| other.cert == pair.cert);
                usable.contains(&index.expect("one of them"))
            };
            let chosen = choice.choose(name, can_use).expect("there is one");
            all().position(|pair| Arc::ptr_eq(pair, &chosen)).expect("one of them")
        };
        let all = [0, 1, 2, 3];
        assert_eq!(index(None, &all), 0);
        assert_eq!(index(Some("first.example"), &all), 0);
        assert_eq!(index(Some("elsewhere.example"), &all), 0);
        assert_eq!(index(Some("img.shop.example"), &all), 1);
        assert_eq!(index(Some("www.shop.example"), &all), 2, "before the wildcard");
        assert_eq!(index(Some("shop.example"), &all), 1, "the first of two alike");
        // A client that can't use a key is shown another certificate.
        assert_eq!(index(Some("www.shop.example"), &[0, 1, 3]), 1);
        assert_eq!(index(Some("www.shop.example"), &[3]), 3);
        assert_eq!(index(Some("www.shop.example"), &[]), 0);
    }

    /// The choice follows the rules by which clients verify.
    #[test]
    fn a_certificate_fits_where_clients_say_so() {
        let names = ["shop.example", "*.blog.example", "XN--Bcher-kva.example"];
        let shown = certificate(&names);
        let parsed = ParsedCertificate::try_from(&shown.pair.cert[0]).expect("it can be read");
        for name in [
            "shop.example",
            "SHOP.example",
            "www.shop.example",
            "blog.example",
            "a.blog.example",
            "a.b.blog.example",
            "xn--bcher-kva.example",
            "example",
        ] {
            let trusted = verify_server_name(&parsed, &ServerName::try_from(name).expect(name));
            let fit = shown.names.as_ref().expect("it can be read").fit(name);
            assert_eq!(fit.is_some(), trusted.is_ok(), "{name}");
        }
    }
}
