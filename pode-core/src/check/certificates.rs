//! Certificates: which endpoints need one, which share one, and their files.

use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
use crate::certificate::{holds_pem_certificate, is_pkcs12, names_in_pem};
use crate::model::{
    Certificate, CertificateFile, CertificateFileKind, Endpoint, Listed, Place, Server,
};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, endpoint) in server.endpoints.iter().enumerate() {
        let earlier = || {
            let earlier = server.endpoints[..index].iter();
            earlier.filter(|other| other.head.meets(&endpoint.head))
        };
        match &endpoint.certificate {
            Some(certificate) if endpoint.protocol.is_secure() => {
                found.extend(certificate.files.iter().filter_map(unusable));
                found
                    .extend(certificate.passwords.iter().map(|place| password_in_the_code(*place)));
                found
                    .extend(certificate.list.iter().flat_map(|list| judge_list(certificate, list)));
                found.extend(
                    earlier().filter_map(|earlier| another_one(earlier, endpoint, certificate)),
                );
            }
            Some(certificate) => found.push(unneeded(endpoint, certificate)),
            None => found.extend(needed(server, endpoint)),
        }
        match &endpoint.client_certificate {
            Some(authorities) if endpoint.protocol.is_secure() => {
                found.extend(authorities.files.iter().filter_map(unusable));
                found.extend(
                    earlier().filter_map(|earlier| other_clients(earlier, endpoint, authorities)),
                );
            }
            Some(authorities) => found.push(unneeded_for_clients(endpoint, authorities)),
            None => {}
        }
    }
}

/// One endpoint of an address may name the certificate for both. Addresses that
/// are known only at run time may turn out to be the same.
fn needed(server: &Server, endpoint: &Endpoint) -> Option<Diagnostic> {
    let protocol = endpoint.protocol;
    let given = server.endpoints.iter().any(|other| {
        let same = match (endpoint.bind, other.bind) {
            (Some(here), Some(there)) => here.same(&there),
            _ => true,
        };
        other.certificate.is_some() && protocol.shares_address_with(other.protocol) && same
    });
    // A declaration that was not understood may name it.
    (protocol.is_secure() && !given && !server.incomplete).then(|| {
        let article = if protocol.serves_signals() { "a" } else { "an" };
        let message = format!("{article} `{protocol}` endpoint needs a certificate");
        let help = "add `{ certificate: pem(\"chain.pem\", \"key.pem\") }`, or `{ certificate: self_signed() }` while developing";
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

fn unneeded_for_clients(endpoint: &Endpoint, authorities: &Certificate) -> Diagnostic {
    let protocol = endpoint.protocol;
    let article = if protocol.serves_signals() { "a" } else { "an" };
    let message = format!("{article} `{protocol}` endpoint can't ask clients for certificates");
    let help = format!("remove it, or write `{protocol}s`");
    let place = authorities.place;
    Diagnostic::new(Code::UnneededClientCertificate, place, message, help)
}

/// Tells whether two endpoints share a secure port.
fn share_a_port(one: &Endpoint, other: &Endpoint) -> bool {
    let same = |one: crate::address::Bind| other.bind.is_some_and(|other| one.same(&other));
    one.bind.is_some_and(same)
        && one.protocol.is_secure()
        && one.protocol.shares_address_with(other.protocol)
}

/// A port has one certificate. If both endpoints name it, they must agree.
fn another_one(earlier: &Endpoint, later: &Endpoint, second: &Certificate) -> Option<Diagnostic> {
    let first = earlier.certificate.as_ref()?;
    (share_a_port(earlier, later) && first.written != second.written).then(|| {
        let (one, other) = (earlier.protocol, later.protocol);
        let message = format!("`{one}` and `{other}` share an address, but not a certificate");
        let help = "name the certificate at one of them; it serves both";
        Diagnostic::new(Code::CertificatesDiffer, second.place, message, help)
            .other(first.place, "the other certificate")
    })
}

/// A port has one rule for client certificates, since the protocol is known
/// only after the handshake.
fn other_clients(earlier: &Endpoint, later: &Endpoint, second: &Certificate) -> Option<Diagnostic> {
    let first = earlier.client_certificate.as_ref()?;
    (share_a_port(earlier, later) && first.written != second.written).then(|| {
        let (one, other) = (earlier.protocol, later.protocol);
        let message = format!("`{one}` and `{other}` share an address, but not a rule for clients");
        let help = "write `client_certificate:` at one of them; it is for both";
        Diagnostic::new(Code::ClientCertificatesDiffer, second.place, message, help)
            .other(first.place, "the other rule")
    })
}

/// Each certificate of a list must be shown to some client.
fn judge_list(certificate: &Certificate, list: &[Listed]) -> Vec<Diagnostic> {
    if list.is_empty() {
        let (message, help) =
            ("no certificate is in this list", "add one, as in `[self_signed()]`");
        return vec![Diagnostic::new(Code::EmptyCertificateList, certificate.place, message, help)];
    }
    let names: Vec<_> = list
        .iter()
        .map(|listed| names_in_pem(certificate.files[listed.chain?].content.as_ref()?))
        .collect();
    let never_shown = |index: usize| {
        let hides = |earlier: &usize| {
            let of_same_names = || {
                let (own, earlier) = (names[index].as_ref()?, names[*earlier].as_ref()?);
                Some(own.is_hidden_by(earlier))
            };
            list[*earlier].written == list[index].written || of_same_names().unwrap_or(false)
        };
        let earlier = (0..index).find(hides)?;
        let message = "no client is ever shown this certificate";
        let help = "an earlier one is for all its names; remove one, or correct its file";
        let never = Diagnostic::new(Code::CertificateNeverShown, list[index].place, message, help);
        Some(never.other(list[earlier].place, "this one is shown"))
    };
    (0..list.len()).filter_map(never_shown).collect()
}

/// Advice: every copy of the program would contain the password.
fn password_in_the_code(place: Place) -> Diagnostic {
    let message = "a password in the code is in every copy of the program";
    let help = "write `password_from_env(\"NAME\")` or `password_from_file(\"path\")`";
    Diagnostic::new(Code::PasswordInTheCode, place, message, help)
}

/// The start of the server checks again, and more: whether the password is
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
        CertificateFileKind::Authorities => {
            let reason = holds_pem_certificate(content).err()?;
            let help = "it holds those in PEM form who sign the certificates of clients";
            (format!("`{path}` {reason}"), help)
        }
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
