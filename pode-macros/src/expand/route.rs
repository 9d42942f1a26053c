//! A route becomes one warp filter, and a call that puts it into the table.

use pode_core::check::MAX_ARGUMENTS;
use pode_core::model::{Route, Source};
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Expansion, by_kind, options, variant};
use crate::resolve::options::ENDPOINT;
use crate::syntax::{self, Action, Kind};

impl Expansion<'_> {
    pub(super) fn route(&self, route: &Route) -> TokenStream {
        let Kind::Route(written) = self.kind(&route.head) else {
            return TokenStream::new();
        };
        if route.arguments.len() > MAX_ARGUMENTS {
            // Already reported; rustc would find no such function.
            return TokenStream::new();
        }
        let (declared, cfgs, path) = (&self.declared, self.cfgs(&route.head), &written.path);
        let methods = route.methods.iter().map(|(method, _)| {
            let method = variant(*method);
            quote! { ::pode::__private::Method::#method }
        });
        let endpoints = route.endpoints.iter().map(|endpoint| &endpoint.text);
        let filter = self.filter(route, written);
        let options = self.route_options(written);
        quote! {
            #cfgs #declared.route(&[#(#methods),*], #path, &[#(#endpoints),*], #filter)#options;
        }
    }

    /// Writes the options that the macro itself doesn't understand, if there are any.
    fn route_options(&self, written: &syntax::Route) -> Option<TokenStream> {
        let others = written.options.fields.iter().any(|field| field.name != ENDPOINT);
        others.then(|| {
            let ty = format_ident!("RouteOptions");
            let words = self.words("route_words", &written.options);
            let options = options::fields(Some(words), &ty, &[ENDPOINT], &written.options);
            quote! { .options(#options) }
        })
    }

    fn filter(&self, route: &Route, written: &syntax::Route) -> TokenStream {
        match &written.action {
            Action::View { template, .. } => quote! { ::pode::__private::view_filter(#template) },
            Action::Redirect { target, .. } => {
                quote! { ::pode::__private::redirect_filter(#target) }
            }
            Action::Handler(handler) => {
                let parameters: Vec<&str> = route.path.parameters().collect();
                let arguments =
                    route.arguments.iter().zip(&written.arguments).map(|(meant, written)| {
                        let (name, ty) = (&meant.name.text, &written.ty);
                        // Types are passed as values, not by turbofish: a handler
                        // of the wrong arity is then reported once.
                        let ty = quote_spanned! { ty.span()=> ::core::marker::PhantomData::<#ty> };
                        let span = written.ty.span();
                        match meant.source {
                            Source::Path if !parameters.contains(&&**name) => {
                                quote_spanned! { span=> ::pode::__private::mistaken(#ty) }
                            }
                            Source::Path => {
                                quote_spanned! { span=> ::pode::__private::path(#name, #ty) }
                            }
                            Source::Query => {
                                quote_spanned! { span=> ::pode::__private::query(#ty) }
                            }
                            Source::Form => quote_spanned! { span=> ::pode::__private::form(#ty) },
                            Source::Json => quote_spanned! { span=> ::pode::__private::json(#ty) },
                            Source::Data => quote_spanned! { span=> ::pode::__private::data(#ty) },
                            Source::Body => quote_spanned! { span=> ::pode::__private::body(#ty) },
                            Source::Multipart => {
                                quote_spanned! { span=> ::pode::__private::multipart(#ty) }
                            }
                        }
                    });
                // rustc reports errors of the handler at the handler.
                let (kind, count) =
                    (by_kind(handler, "handler", "function"), route.arguments.len());
                let call = format_ident!("{kind}_filter_{count}", span = handler.span());
                let handler = self.handler(handler);
                quote_spanned! { handler.span()=> ::pode::__private::#call(#(#arguments,)* #handler) }
            }
        }
    }
}
