//! An upstream becomes a constant, and one call.

use pode_core::model::Upstream;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{Expansion, by_kind, documented, has_constant, of_any_types, options, visible_at};
use crate::resolve::options::ENDPOINT;
use crate::syntax::{self, Field, Kind, Written};

impl Expansion<'_> {
    pub(super) fn upstream(&self, upstream: &Upstream) -> TokenStream {
        let Kind::Upstream(written) = self.kind(&upstream.head) else {
            return TokenStream::new();
        };
        let Ok(handler) = &written.handler else {
            return TokenStream::new();
        };
        let (cfgs, name, url) = (self.cfgs(&upstream.head), &written.name, &written.url);
        let ty = format_ident!("UpstreamOptions");
        let words = self.words("upstream_words", &written.options);
        let options = options::fields(Some(words), &ty, &[ENDPOINT], &written.options);
        // If the name is declared twice, the constant may be another
        // declaration's, and of other types.
        let types = types(written);
        // rustc reports a type that serde can't use here.
        let place = match &written.sends {
            Some(_either) => name.span(),
            None => written.receives.span(),
        };
        let named = quote_spanned! { place=>
            ::pode::UpstreamName::<#types>::new(#name.as_str())
        };
        // rustc reports errors of a handler at the handler.
        let openings = written.on_connect.iter().map(|Field { value, .. }| {
            let call = by_kind(&value.to_token_stream(), "on_connect", "on_connect_function");
            let call = format_ident!("{call}", span = value.span());
            quote_spanned! { value.span()=> .#call(#value) }
        });
        let span = handler.span();
        let declared = self.declared_at(span);
        let call =
            format_ident!("{}", by_kind(handler, "upstream", "upstream_function"), span = span);
        let handler = self.handler(handler);
        quote_spanned! { span=>
            #cfgs #declared.#call(#named, #url, #options, #handler) #(#openings)*;
        }
    }
}

/// Writes the constants of all upstreams, including those that were not
/// understood, so that code which sends to them compiles.
pub(super) fn constants(written: &Written) -> TokenStream {
    let mut constants = TokenStream::new();
    for (index, declaration) in written.declarations.iter().enumerate() {
        let Kind::Upstream(upstream) = &declaration.kind else {
            continue;
        };
        if !has_constant(written, index) {
            continue;
        }
        let attributes = &declaration.attributes;
        let visibility = visible_at(written, upstream.name.span());
        let (name, types, title) =
            (&upstream.name, types(upstream), upstream.name.unraw().to_string());
        let allowed = of_any_types(written);
        let page = documented(attributes, || format!("The upstream `{title}`."));
        constants.extend(quote_spanned! { name.span()=>
            #(#attributes)*
            #page
            #allowed
            #visibility const #name: ::pode::UpstreamName<#types> = ::pode::UpstreamName::new(#title);
        });
    }
    constants
}

/// Returns the sent and the received type.
fn types(upstream: &syntax::Upstream) -> TokenStream {
    let receives = &upstream.receives;
    let sends = match &upstream.sends {
        Some(sends) => sends.to_token_stream(),
        None => quote! { ::pode::Nothing },
    };
    quote! { #sends, #receives }
}
