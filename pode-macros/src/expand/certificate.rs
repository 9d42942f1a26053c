//! The code around a certificate: its words in scope, and the location of its
//! files.
//!
//! No part of a certificate is put into the program; the run time reads its
//! files at the start.

use pode_core::model::{CertificateFileKind, Endpoint, Server};
use proc_macro2::TokenStream;
use quote::quote;

use super::folder;

/// Adds to the words for certificates which files a new build depends on.
pub(super) fn words(endpoint: &Endpoint, words: &TokenStream) -> TokenStream {
    let named = endpoint.certificate.iter().chain(&endpoint.client_certificate);
    let tracked = named.flat_map(|certificate| &certificate.files);
    // Never a file that contains a key.
    let chains = tracked.filter(|file| {
        let without_key = file.content.as_deref().is_some_and(|content| !holds_pem_key(content));
        let read = [CertificateFileKind::Chain, CertificateFileKind::Authorities];
        read.contains(&file.kind) && without_key
    });
    let chains = folder::tracked(chains.map(|file| file.path.text.clone()));
    quote! { #words #chains }
}

/// Tells where the paths of certificates begin while developing, including
/// those of roots.
pub(super) fn crate_folder(model: &Server, declared: &proc_macro2::Ident) -> Option<TokenStream> {
    let roots = model.upstreams.iter().map(|upstream| upstream.names_roots);
    let mut roots = roots.chain(model.backplanes.iter().map(|backplane| backplane.names_roots));
    let names_file = |endpoint: &Endpoint| {
        endpoint.certificate.is_some() || endpoint.client_certificate.is_some()
    };
    let named = model.endpoints.iter().any(names_file) || roots.any(|names_file| names_file);
    named.then(|| {
        quote! {
            #[cfg(debug_assertions)]
            #declared.crate_folder(::core::env!("CARGO_MANIFEST_DIR"));
        }
    })
}

/// Tells whether a PEM file holds a private key of any kind.
fn holds_pem_key(file: &[u8]) -> bool {
    let mark = b"PRIVATE KEY-----";
    file.windows(mark.len()).any(|window| window == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_section() {
        assert!(holds_pem_key(b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n"));
        assert!(!holds_pem_key(b"-----BEGIN CERTIFICATE-----\nAAAA\n"));
    }
}
