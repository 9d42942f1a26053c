//! `pub server name(parameters) { options };`

use pode_core::check::did_you_mean;
use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, Token, Visibility, parenthesized};

use super::Options;

/// The head of an invocation: the function that it declares.
pub(crate) struct Server {
    /// Doc comments and the like, for the function.
    pub(crate) attributes: Vec<Attribute>,
    /// Of the function and the signals' constants.
    pub(crate) visibility: Visibility,
    /// The word `server`.
    pub(crate) noun: Ident,
    /// Of the function.
    pub(crate) name: Ident,
    /// What the function takes.
    pub(crate) parameters: Punctuated<FnArg, Token![,]>,
    pub(crate) options: Options,
}

impl Server {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let expected = "expected `server`\n\nhelp: begin with `pub server name;`";
        let noun = input
            .call(Ident::parse_any)
            .map_err(|error| syn::Error::new(error.span(), expected))?;
        if noun != "server" {
            let message = match did_you_mean(&noun.to_string(), ["server"]) {
                Some(_) => {
                    format!("expected `server`, found `{noun}`\n\nhelp: did you mean `server`?")
                }
                None => expected.to_owned(),
            };
            return Err(syn::Error::new(noun.span(), message));
        }
        let named = |error: syn::Error| {
            let message = "a server needs a name\n\nhelp: write `server name;`, which declares the function `name()`";
            syn::Error::new(error.span(), message)
        };
        let name = input.parse().map_err(named)?;
        let parameters = if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            content.parse_terminated(FnArg::parse, Token![,])?
        } else {
            Punctuated::new()
        };
        let options = Options::parse(input)?;
        Ok(Server { attributes, visibility, noun, name, parameters, options })
    }
}
