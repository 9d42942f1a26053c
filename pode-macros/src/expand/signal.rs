//! A signal becomes a constant, a call that makes its channel, and a call for
//! the messages of clients.

use pode_core::model::{self, Level, Server, Signal};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ReturnType};

use super::{
    Expansion, by_kind, documented, has_constant, of_any_types, options, variant, visible_at,
};
use crate::resolve::options::{ENDPOINT, LATEST_BY, LEVEL};
use crate::syntax::{self, Field, Kind, Receiver, Written};

impl Expansion<'_> {
    pub(super) fn signal(&self, signal: &Signal) -> TokenStream {
        let Kind::Signal(written) = self.kind(&signal.head) else {
            return TokenStream::new();
        };
        // Of arguments that aren't the path's, which is already reported, the
        // types may be none of parameters.
        if !has_constant(self.written, signal.head.index) || !signal.takes_its_parameters() {
            return TokenStream::new();
        }
        let (declared, cfgs, name) = (&self.declared, self.cfgs(&signal.head), &written.name);
        let endpoints = signal.endpoints.iter().map(|endpoint| &endpoint.text);
        let ty = format_ident!("SignalOptions");
        let words = self.words("signal_words", &written.options);
        let options =
            options::fields(Some(words), &ty, &[ENDPOINT, LEVEL, LATEST_BY], &written.options);
        let call = match parameters(written, Some(signal)).is_empty() {
            true => format_ident!("signal_channel", span = name.span()),
            false => format_ident!("signal_family", span = name.span()),
        };
        let receiver = self.receiver(signal, written);
        let constant = match &receiver {
            Some(_receiver) => name.to_token_stream(),
            // Then rustc tells of one to which nobody sends.
            None => {
                let (kind, types) = (kind(written, Some(signal)), types(written, Some(signal)));
                let path = &written.path;
                quote_spanned! { name.span()=> ::pode::#kind::<#types>::new(#path) }
            }
        };
        let has_keys = latest_by(written).map(|field| {
            let path = &written.path;
            quote_spanned! { field.name.span()=> #cfgs #declared.latest_by(#path); }
        });
        quote_spanned! { name.span()=>
            #cfgs #declared.#call(#constant, &[#(#endpoints),*], #options);
            #has_keys
            #receiver
        }
    }

    fn receiver(&self, signal: &Signal, written: &syntax::Signal) -> Option<TokenStream> {
        if !signal.takes_its_parameters() {
            // Already reported; no handler fits both path and arguments.
            return None;
        }
        let (cfgs, name) = (self.cfgs(&signal.head), &written.name);
        // rustc reports errors of the receiver at the receiver.
        match (signal.receiver?, written.receiver.as_ref()?) {
            (model::Receiver::Rebroadcast, Receiver::Rebroadcast(word)) => {
                let declared = self.declared_at(word.span());
                Some(quote_spanned! { word.span()=> #cfgs #declared.rebroadcast(#name); })
            }
            (model::Receiver::Handler, Receiver::Handler { handler, .. }) => {
                let declared = self.declared_at(handler.span());
                let count = signal.path.parameters().count();
                let kind = by_kind(handler, "handler", "function");
                let call = format_ident!("signal_{kind}_{count}", span = handler.span());
                let handler = self.handler(handler);
                Some(quote_spanned! { handler.span()=> #cfgs #declared.#call(#name, #handler); })
            }
            _ => None,
        }
    }
}

/// Writes the constants of all signals, including those that were not
/// understood, so that code which sends to them compiles.
pub(super) fn constants(written: &Written, model: &Server) -> TokenStream {
    let mut constants = TokenStream::new();
    for (index, declaration) in written.declarations.iter().enumerate() {
        let Kind::Signal(signal) = &declaration.kind else {
            continue;
        };
        if !has_constant(written, index) {
            continue;
        }
        let meant = model.signals.iter().find(|meant| meant.head.index == index);
        let path = match meant {
            Some(_) => signal.path.to_token_stream(),
            None => quote! { "/" },
        };
        let (kind, types) = (kind(signal, meant), types(signal, meant));
        let (attributes, name) = (&declaration.attributes, &signal.name);
        let (key_type, key) = match latest_by(signal) {
            Some(field) => {
                let (sends, key) = (&signal.sends, key(&field.value));
                (quote! { , ::pode::LatestBy<#sends> }, quote! { .latest_by(#key) })
            }
            None => Default::default(),
        };
        let visibility = visible_at(written, name.span());
        let allowed = of_any_types(written);
        let page = documented(attributes, || format!("The signal at `{}`.", signal.path.value()));
        constants.extend(quote_spanned! { name.span()=>
            #(#attributes)*
            #page
            #allowed
            #visibility const #name: ::pode::#kind<#types #key_type> = ::pode::#kind::new(#path)#key;
        });
    }
    constants
}

/// Returns the option that finds the key of a message.
fn latest_by(signal: &syntax::Signal) -> Option<&Field> {
    signal.options.fields.iter().rfind(|field| field.name == LATEST_BY)
}

/// Writes a function from a message to its key as a text. What a closure returns may be
/// a part of the message.
fn key(found_by: &Expr) -> TokenStream {
    let place = found_by.span();
    let to_text = quote_spanned! { place=> ::std::string::ToString::to_string };
    let closure = match found_by {
        Expr::Closure(closure) => closure,
        // Already reported.
        Expr::Lit(_) => return quote! { |_| ::std::string::String::new() },
        function => {
            let message = Ident::new("__message", Span::mixed_site().located_at(place));
            return quote_spanned! { place=> |#message| #to_text(&(#function)(#message)) };
        }
    };
    let mut closure = closure.clone();
    let body = &closure.body;
    let place = body.span();
    let body = match &closure.output {
        ReturnType::Default => quote_spanned! { place=> #to_text(&{ #body }) },
        ReturnType::Type(_, ty) => {
            let key = Ident::new("__key", Span::mixed_site().located_at(place));
            quote_spanned! { place=> { let #key: #ty = #body; #to_text(&#key) } }
        }
    };
    closure.output = ReturnType::Default;
    *closure.body = Expr::Verbatim(body);
    closure.to_token_stream()
}

/// Returns the type of a signal's constant.
fn kind(signal: &syntax::Signal, meant: Option<&Signal>) -> Ident {
    let kind = match parameters(signal, meant).is_empty() {
        true => "SignalPath",
        false => "SignalFamily",
    };
    Ident::new(kind, signal.name.span())
}

/// Returns the arguments of this type.
fn types(signal: &syntax::Signal, meant: Option<&Signal>) -> TokenStream {
    let payloads = payloads(signal, meant);
    match &parameters(signal, meant)[..] {
        [] => payloads,
        types => quote! { (#(#types,)*), #payloads },
    }
}

/// Returns the type arguments of a signal for its payloads and its level,
/// without those that are the defaults.
fn payloads(signal: &syntax::Signal, meant: Option<&Signal>) -> TokenStream {
    let (sends, place) = (&signal.sends, signal.name.span());
    let level = meant.map_or(Level::Name, |meant| meant.level);
    // Behind these is the one for keys.
    let has_keys = latest_by(signal).is_some();
    match (&signal.receives, level) {
        (None, Level::Name) if !has_keys => quote_spanned! { place=> #sends },
        (Some(received), Level::Name) if !has_keys => {
            quote_spanned! { place=> #sends, #received }
        }
        (received, level) => {
            let received = received
                .as_ref()
                .map_or_else(|| quote_spanned! { place=> ::pode::Nothing }, |it| quote! { #it });
            let level = variant(level);
            quote_spanned! { place=> #sends, #received, ::pode::level::#level }
        }
    }
}

/// Returns the types of the path's parameters, in its order; a signal that is
/// no family has none.
///
/// After a mistake they are the most likely ones.
fn parameters(signal: &syntax::Signal, meant: Option<&Signal>) -> Vec<TokenStream> {
    let in_path: Vec<&str> = meant.into_iter().flat_map(|meant| meant.path.parameters()).collect();
    if in_path.is_empty() {
        return signal.arguments.iter().map(|argument| argument.ty.to_token_stream()).collect();
    }
    let mut others =
        signal.arguments.iter().filter(|it| in_path.iter().all(|name| it.text() != *name));
    let ty = |name: &&str| {
        let argument = signal.arguments.iter().find(|argument| argument.text() == **name);
        match argument.or_else(|| others.next()) {
            Some(argument) => argument.ty.to_token_stream(),
            None => quote! { ::std::string::String },
        }
    };
    in_path.iter().map(ty).collect()
}
