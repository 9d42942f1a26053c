//! A signal becomes a constant, a call that makes its channel, and one for
//! what clients send.

use std::collections::HashSet;

use pode_core::model::{self, Level, Server, Signal};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Expansion, cfgs, options, variant};
use crate::resolve::options::{ENDPOINT, LEVEL};
use crate::syntax::{self, Kind, Receiver, Written};

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
        let options = options::fields_with(
            words,
            &format_ident!("SignalOptions"),
            &[ENDPOINT, LEVEL],
            &written.options,
        );
        let receiver = self.receiver(signal, written);
        quote_spanned! { name.span()=>
            #cfgs #declared.signal_channel(#name, &[#(#endpoints),*], #options);
            #receiver
        }
    }

    fn receiver(&self, signal: &Signal, written: &syntax::Signal) -> Option<TokenStream> {
        let (cfgs, name) = (self.cfgs(&signal.head), &written.name);
        // What rustc has to say about it stands there.
        match (signal.receiver?, written.receiver.as_ref()?) {
            (model::Receiver::Rebroadcast, Receiver::Rebroadcast(word)) => {
                let declared = self.declared_at(word.span());
                Some(quote_spanned! { word.span()=> #cfgs #declared.rebroadcast(#name); })
            }
            (model::Receiver::Handler, Receiver::Handler { handler, .. }) => {
                let declared = self.declared_at(handler.span());
                let call = format_ident!("signal_handler_0", span = handler.span());
                Some(quote_spanned! { handler.span()=> #cfgs #declared.#call(#name, #handler); })
            }
            _ => None,
        }
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
        let meant = model.signals.iter().find(|meant| meant.head.index == index);
        let path = match meant {
            Some(_) => signal.path.to_token_stream(),
            None => quote! { "/" },
        };
        let parameters = parameters(signal, meant);
        let (attributes, visibility) = (&declaration.attributes, &written.server.visibility);
        let name = &signal.name;
        let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
        let page = format!("The signal at `{}`.", signal.path.value());
        let page = (!documented).then(|| quote! { #[doc = #page] });
        constants.extend(quote_spanned! { name.span()=>
            #(#attributes)*
            #page
            #[allow(private_interfaces)]
            #visibility const #name: ::pode::SignalPath<#parameters> = ::pode::SignalPath::new(#path);
        });
    }
    constants
}

/// Returns what the type of a signal says of its payloads and its level; as
/// much as it has to say.
fn parameters(signal: &syntax::Signal, meant: Option<&Signal>) -> TokenStream {
    let (sends, place) = (&signal.sends, signal.name.span());
    let level = meant.map_or(Level::Name, |meant| meant.level);
    match (&signal.receives, level) {
        (None, Level::Name) => quote_spanned! { place=> #sends },
        (Some(received), Level::Name) => quote_spanned! { place=> #sends, #received },
        (received, level) => {
            let received = received
                .as_ref()
                .map_or_else(|| quote_spanned! { place=> ::pode::Nothing }, |it| quote! { #it });
            let level = variant(level);
            quote_spanned! { place=> #sends, #received, ::pode::level::#level }
        }
    }
}
