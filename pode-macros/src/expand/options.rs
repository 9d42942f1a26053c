//! Options become assignments to the fields of a struct.
//!
//! Each field and each value keeps its span, so rustc underlines the user's own
//! word and suggests a field with a similar name.

use pode_core::check::is_limit;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use crate::resolve::certificate::CERTIFICATE;
use crate::resolve::options::{HOSTS, TRUSTED_PROXIES, interval, is_limits, limits, text};
use crate::syntax::{Field, Options};

/// Writes a value, which may be an interval such as `5s`.
pub(super) fn value(value: &Expr) -> TokenStream {
    match interval(value) {
        Some(duration) => {
            // An interval that was not understood is already reported.
            let milliseconds = duration.unwrap_or_default().as_millis() as u64;
            quote_spanned! { value.span()=> ::pode::__private::interval(#milliseconds) }
        }
        // Where something else is expected, rustc underlines the literal.
        None => match value {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.suffix().is_empty() => {
                quote_spanned! { value.span()=> ::pode::__private::number(#number) }
            }
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                quote_spanned! { value.span()=> ::pode::__private::quoted(#text) }
            }
            value => quote! { #value },
        },
    }
}

/// Options whose values become their types by `From`.
const CONVERTED: [&str; 3] = ["hand_over", HOSTS, TRUSTED_PROXIES];

/// Writes the value of an option. Certificates, hosts and proxies may stand in
/// brackets, and a text may replace a path.
fn option(field: &Field) -> TokenStream {
    match &field.value {
        Expr::Array(several) if field.name == CERTIFICATE => {
            quote! { ::pode::Certificate::from(#several) }
        }
        other if CONVERTED.iter().any(|name| field.name == name) => {
            let value = match text(other) {
                Some(text) => quote! { #text },
                None => value(other),
            };
            quote_spanned! { other.span()=> ::pode::__private::converted(#value) }
        }
        one => value(one),
    }
}

/// Brings the words of a module into scope that values may use.
pub(super) fn words(module: &str) -> TokenStream {
    let module = format_ident!("{module}");
    quote! {
        #[allow(unused_imports)]
        use ::pode::__private::#module::*;
    }
}

/// Writes a value of the struct, which is one of `pode`'s, with the words that
/// its values may use in scope, and without the options that the macro itself
/// understands.
pub(super) fn fields(
    words: TokenStream,
    ty: &Ident,
    understood: &[&str],
    options: &Options,
) -> TokenStream {
    // A limit that stands outside of them is already reported.
    let has_limits = WITH_LIMITS.iter().any(|with_limits| ty == with_limits);
    let is_field = |field: &&Field| {
        understood.iter().all(|name| field.name != *name)
            && !(has_limits && is_limit(&field.name.to_string()))
    };
    let mut fields = options.fields.iter().filter(is_field).peekable();
    let Some(first) = fields.peek() else {
        return quote! { ::pode::#ty::default() };
    };
    // rustc points at it when a value is of another type.
    let place = Span::mixed_site().located_at(first.name.span());
    let variable = Ident::new("__options", place);
    let assignments = fields.map(|field| assignment(&variable, ty, field));
    quote! {{
        #words
        let mut #variable = ::pode::#ty::default();
        #(#assignments)*
        #variable
    }}
}

/// The structs that have limits.
const WITH_LIMITS: [&str; 3] = ["ServerOptions", "EndpointOptions", "RouteOptions"];

fn assignment(variable: &Ident, ty: &Ident, field: &Field) -> TokenStream {
    let name = &field.name;
    let has_limits = WITH_LIMITS.iter().any(|with_limits| ty == with_limits);
    if !is_limits(field) || !has_limits {
        let value = match limits(field) {
            // The only error should be that there is no such field.
            Some(_) => quote! { () },
            None => option(field),
        };
        return quote_spanned! { name.span()=> #variable.#name = #value; };
    }
    let Some(written) = limits(field) else {
        let value = value(&field.value);
        return quote_spanned! { name.span()=>
            #variable.#name = { let __limits: ::pode::Limits = #value; __limits.into() };
        };
    };
    let assignments = written.fields.iter().map(|field| {
        let (member, value) = (&field.member, value(&field.expr));
        quote_spanned! { member.span()=> *#variable.#name.#member.get_or_insert_default() = #value; }
    });
    quote! { #(#assignments)* }
}
