//! The certificate that a client presents.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The certificate of a client, signed by an authority that the endpoint's
/// `client_certificate` names, and valid when the client connected.
///
/// Clones are cheap and refer to the same certificate. A mounted filter finds
/// it in the extensions of its request.
#[derive(Clone)]
pub struct ClientCertificate {
    told: Arc<Told>,
}

struct Told {
    der: CertificateDer<'static>,
    subject: String,
    names: Vec<String>,
}

impl ClientCertificate {
    /// Reads a verified certificate; `None` if it is so odd that it can't be
    /// read.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
        let certificate = Certificate::from_der(der).ok()?;
        let told = certificate.tbs_certificate();
        let names = match told.get_extension::<SubjectAltName>().ok()? {
            Some((_, SubjectAltName(names))) => names,
            None => Vec::new(),
        };
        let names = names.into_iter().filter_map(|name| match name {
            GeneralName::DnsName(name)
            | GeneralName::Rfc822Name(name)
            | GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
            _ => None,
        });
        let told = Told {
            der: der.clone().into_owned(),
            subject: told.subject().to_string(),
            names: names.collect(),
        };
        Some(ClientCertificate { told: Arc::new(told) })
    }

    /// Returns its subject: the distinguished name in the form of RFC 4514, the
    /// most specific part first, as in `CN=ada,O=Engines,C=GB`.
    ///
    /// It may be empty. Special characters in it are escaped, so `CN=a\,O=b` is
    /// one part. Compare the whole, or parse [`der`](Self::der).
    pub fn subject(&self) -> &str {
        &self.told.subject
    }

    /// Returns its other names, those of the subject alternative name (RFC
    /// 5280, section 4.2.1.6): DNS names, e-mail addresses and URIs, as
    /// written. There may be none.
    pub fn names(&self) -> &[String] {
        &self.told.names
    }

    /// Returns the whole certificate in DER form.
    pub fn der(&self) -> &[u8] {
        &self.told.der
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("subject", &self.subject())
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}
