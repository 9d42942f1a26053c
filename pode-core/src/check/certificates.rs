//! Certificates: who needs one, who shares one, and the files they are in.

use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
use crate::certificate::{holds_pem_certificate, is_pkcs12};
use crate::model::{Certificate, CertificateFile, CertificateFileKind, Endpoint, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, endpoint) in server.endpoints.iter().enumerate() {
        match &endpoint.certificate {
            Some(certificate) if endpoint.protocol.is_secure() => {
                found.extend(certificate.files.iter().filter_map(unusable));
                found.extend(password_in_the_code(certificate));
                let earlier = server.endpoints[..index].iter();
                let earlier = earlier.filter(|other| other.head.meets(&endpoint.head));
                found.extend(
                    earlier.filter_map(|earlier| another_one(earlier, endpoint, certificate)),
                );
            }
            Some(certificate) => found.push(unneeded(endpoint, certificate)),
            None => found.extend(needed(server, endpoint)),
        }
    }
}

/// One endpoint of an address may name the certificate for both. Addresses
/// that only the run time knows may turn out to be one.
fn needed(server: &Server, endpoint: &Endpoint) -> Option<Diagnostic> {
    let protocol = endpoint.protocol;
    let given = server.endpoints.iter().any(|other| {
        let same = match (endpoint.bind, other.bind) {
            (Some(here), Some(there)) => here.same(&there),
            _ => true,
        };
        other.certificate.is_some() && protocol.shares_address_with(other.protocol) && same
    });
    // It may be named by a declaration that was not understood.
    (protocol.is_secure() && !given && !server.incomplete).then(|| {
        let article = if protocol.serves_signals() { "a" } else { "an" };
        let message = format!("{article} `{protocol}` endpoint needs a certificate");
        let help = "add `{ certificate: pfx(\"file.pfx\", password_from_env(\"NAME\")) }`";
        Diagnostic::new(Code::NoCertificate, endpoint.protocol_place, message, help)
    })
}

fn unneeded(endpoint: &Endpoint, certificate: &Certificate) -> Diagnostic {
    let protocol = endpoint.protocol;
    let article = if protocol.serves_signals() { "a" } else { "an" };
    let message = format!("{article} `{protocol}` endpoint has no use for a certificate");
    let help = format!("remove it, or write `{protocol}s`");
    Diagnostic::new(Code::UnneededCertificate, certificate.place, message, help)
}

/// A port has one certificate. Where both endpoints name it, they agree.
fn another_one(earlier: &Endpoint, later: &Endpoint, second: &Certificate) -> Option<Diagnostic> {
    let first = earlier.certificate.as_ref()?;
    let shared = earlier.bind?.same(&later.bind?)
        && earlier.protocol.is_secure()
        && earlier.protocol.shares_address_with(later.protocol);
    (shared && first.written != second.written).then(|| {
        let (one, other) = (earlier.protocol, later.protocol);
        let message = format!("`{one}` and `{other}` share an address, but not a certificate");
        let help = "name the certificate at one of them; it serves both";
        Diagnostic::new(Code::CertificatesDiffer, second.place, message, help)
            .other(first.place, "the other certificate")
    })
}

/// Advice: every copy of the program would tell it.
fn password_in_the_code(certificate: &Certificate) -> Option<Diagnostic> {
    let message = "a password in the code is in every copy of the program";
    let help = "write `password_from_env(\"NAME\")` or `password_from_file(\"path\")`";
    Some(Diagnostic::new(Code::PasswordInTheCode, certificate.password?, message, help))
}

/// The start of the server looks again, and further: whether the password is
/// right, and the key belongs to the certificate.
fn unusable(file: &CertificateFile) -> Option<Diagnostic> {
    let (path, place) = (&file.path.text, file.path.place);
    let Some(content) = &file.content else {
        let help = match did_you_mean(path, file.siblings.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "files are relative to the crate's `Cargo.toml`; for one that is only there at run time, add `.at_run_time()`".to_owned(),
        };
        let message = format!("there is no file `{path}`");
        return Some(Diagnostic::new(Code::CertificateFile, place, message, help));
    };
    let (message, help) = match file.kind {
        CertificateFileKind::Pfx if !is_pkcs12(content) => (
            format!("`{path}` is not a PKCS#12 file"),
            "for PEM files, write `pem(\"chain.pem\", \"key.pem\")`",
        ),
        CertificateFileKind::Chain => {
            let reason = holds_pem_certificate(content).err()?;
            let help = if is_pkcs12(content) {
                "for a PKCS#12 file, write `pfx(\"file.pfx\", password_from_env(\"NAME\"))`"
            } else {
                "the server's certificate comes first, then those that signed it"
            };
            (format!("`{path}` {reason}"), help)
        }
        _ => return None,
    };
    Some(Diagnostic::new(Code::CertificateContent, place, message, help))
}
