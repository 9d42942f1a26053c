//! A signal becomes a constant, and a call that makes its channel.

use std::collections::HashSet;

use pode_core::model::{Server, Signal};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};

use super::{Expansion, cfgs, options};
use crate::syntax::{Kind, Written};

impl Expansion<'_> {
    pub(super) fn signal(&self, signal: &Signal) -> TokenStream {
        let Kind::Signal(written) = self.kind(&signal.head) else {
            return TokenStream::new();
        };
        let (declared, cfgs, name) = (&self.declared, self.cfgs(&signal.head), &written.name);
        let endpoints = signal.endpoints.iter().map(|endpoint| &endpoint.text);
        let words = quote! {
            #[allow(unused_imports)]
            use ::pode::__private::signal_words::*;
        };
        let options =
            options::fields_with(words, &format_ident!("SignalOptions"), &written.options);
        quote_spanned! { name.span()=> #cfgs #declared.signal_channel(#name, &[#(#endpoints),*], #options); }
    }
}

/// Writes the constants of all signals, also of those that were not
/// understood: their senders are right all the same.
pub(super) fn constants(written: &Written, model: &Server) -> TokenStream {
    let mut constants = TokenStream::new();
    let mut declared = HashSet::new();
    for (index, declaration) in written.declarations.iter().enumerate() {
        let Kind::Signal(signal) = &declaration.kind else {
            continue;
        };
        let cfgs = cfgs(&declaration.attributes).to_string();
        if !declared.insert((signal.name.to_string(), cfgs)) {
            // Told already; rustc would underline the whole macro for it.
            continue;
        }
        let understood = model.signals.iter().any(|meant| meant.head.index == index);
        let path = if understood {
            signal.path.to_token_stream()
        } else {
            quote! { "/" }
        };
        let (attributes, visibility) = (&declaration.attributes, &written.server.visibility);
        let (name, ty) = (&signal.name, &signal.ty);
        let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
        let page = format!("The signal at `{}`.", signal.path.value());
        let page = (!documented).then(|| quote! { #[doc = #page] });
        constants.extend(quote_spanned! { name.span()=>
            #(#attributes)*
            #page
            #[allow(private_interfaces)]
            #visibility const #name: ::pode::SignalPath<#ty> = ::pode::SignalPath::new(#path);
        });
    }
    constants
}
