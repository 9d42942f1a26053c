//! Words of the language become paths to their manual.
//!
//! Editors show what a path leads to. Only they see these: rust-analyzer sets
//! the `cfg` when it expands a macro.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::syntax::{Action, Kind, Written};

/// Uses the documented item of each word that was written.
pub(super) fn uses(written: &Written) -> TokenStream {
    let mut words = vec![&written.server.noun];
    for declaration in &written.declarations {
        words.push(&declaration.noun);
        match &declaration.kind {
            Kind::Endpoint(endpoint) => words.push(&endpoint.protocol),
            Kind::Route(route) => {
                words.extend(&route.methods);
                if let Action::View { word, .. } = &route.action {
                    words.push(word);
                }
            }
            _ => {}
        }
    }
    let known = words.into_iter().filter(|word| KEYWORDS.contains(&word.to_string().as_str()));
    let uses = known.map(|word: &Ident| {
        quote! {
            const _: () = {
                #[allow(unused_imports)]
                use ::pode::keyword::#word;
            };
        }
    });
    quote! {
        #[cfg(rust_analyzer)]
        { #(#uses)* }
    }
}

/// Every word that has a manual. A test of `pode` looks each of them up.
const KEYWORDS: [&str; 18] = [
    "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "endpoint", "http",
    "public", "route", "server", "signal", "state", "view", "views", "ws",
];
