//! Options become assignments to the fields of a struct.
//!
//! Each field and each value keeps its span, so rustc underlines the user's own
//! word and suggests a field with a similar name.

use pode_core::check::is_limit;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::Expansion;
use crate::resolve::backplane::NAME;
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
const CONVERTED: [&str; 4] = ["hand_over", HOSTS, NAME, TRUSTED_PROXIES];

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

/// The words that values may use, by the modules that have them.
const WORDS: [(&str, &[&str]); 8] = [
    ("server_words", &["secret_from_env", "signed_by"]),
    (
        "signal_words",
        &[
            "All",
            "AnyPage",
            "Anyone",
            "Disconnect",
            "EventStreams",
            "Last",
            "Latest",
            "Messages",
            "Off",
            "On",
            "OnLag",
            "OnlyNew",
            "Origins",
            "OwnGroups",
            "OwnPages",
            "Rebroadcast",
            "Replay",
            "Skip",
            "pages_of",
        ],
    ),
    ("route_words", &["AnyPage", "Origins", "OwnPages", "pages_of"]),
    ("timer_words", &["EveryNode", "FiresOn", "OneNode"]),
    ("schedule_words", &["EveryNode", "FiresOn", "OneNode"]),
    ("upstream_words", &["Roots", "SystemRoots", "roots_of", "system_roots_and"]),
    (
        "backplane_words",
        &[
            "Anyway",
            "BackplaneStart",
            "Fail",
            "Roots",
            "SystemRoots",
            "roots_of",
            "system_roots_and",
        ],
    ),
    (
        "endpoint_words",
        &[
            "forwarded_by",
            "optional",
            "password_from_env",
            "password_from_file",
            "pem",
            "pfx",
            "required",
            "self_signed",
        ],
    ),
];

impl Expansion<'_> {
    /// Brings the words of a module into scope, and `__Options`, which are the options
    /// that use them: no import is unused.
    ///
    /// In a block, imports hide the parameters of the function around it. Where one is
    /// called like a word, only those words are imported that these options use, and no
    /// other parameter is called like. (rustc suggests similar words of all that are
    /// imported, so usually these are all.)
    pub(super) fn words(&self, module: &str, options: &Options) -> TokenStream {
        let words = WORDS.iter().find(|(name, _)| *name == module);
        let words = words.map_or(&[][..], |(_, words)| words);
        let server = &self.written.server;
        let is_parameter = |word: &&&str| server.named_parameters().any(|(name, _)| name == **word);
        let module = format_ident!("{module}");
        if !words.iter().any(|word| is_parameter(&word)) {
            return quote! { use ::pode::__private::#module::*; };
        }
        let values = options.fields.iter().map(|field| field.value.to_token_stream());
        let values: TokenStream = values.collect();
        let others = words.iter().filter(|word| !is_parameter(word) && has_word(&values, word));
        let others = others.map(|word| Ident::new(word, Span::call_site()));
        quote! { use ::pode::__private::#module::{__Options, #(#others),*}; }
    }
}

/// Returns whether a word stands anywhere in the tokens.
fn has_word(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => has_word(&group.stream(), word),
        _ => false,
    })
}

/// Writes a value of the struct, which is one of `pode`'s, with the words that
/// its values may use in scope, and without the options that the macro itself
/// understands.
pub(super) fn fields(
    words: Option<TokenStream>,
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
    let struct_name = match words {
        Some(_) => quote! { __Options },
        None => quote! { ::pode::#ty },
    };
    let assignments = fields.map(|field| assignment(&variable, ty, field));
    quote! {{
        #words
        let mut #variable = #struct_name::default();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The facade's module isn't part of this crate.
    #[test]
    fn the_words_are_those_of_the_facade() {
        let facade: syn::File = syn::parse_str(include_str!("../../../src/__private.rs")).unwrap();
        let mut found = Vec::new();
        for item in facade.items {
            let syn::Item::Mod(syn::ItemMod { ident, content: Some((_, items)), .. }) = item else {
                continue;
            };
            let mut words = Vec::new();
            for item in items {
                if let syn::Item::Use(item) = item {
                    names(&item.tree, &mut words);
                }
            }
            words.sort();
            found.push((ident.to_string(), words));
        }
        let expected = WORDS.map(|(module, words)| {
            (module.to_owned(), words.iter().map(ToString::to_string).collect::<Vec<_>>())
        });
        assert_eq!(found, expected);
    }

    fn names(tree: &syn::UseTree, words: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => names(&path.tree, words),
            syn::UseTree::Name(name) => words.push(name.ident.to_string()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| names(item, words)),
            _ => panic!("the words are named one by one"),
        }
    }
}
