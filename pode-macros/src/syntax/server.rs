//! `pub server name(parameters) { options };`

use pode_core::check::{Code, did_you_mean};
use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, Pat, Token, Type, Visibility, parenthesized};

use super::{Options, mistake};

/// The head of an invocation: the function that it declares.
pub(crate) struct Server {
    /// Doc comments and the like, for the function.
    pub(crate) attributes: Vec<Attribute>,
    /// The visibility of the function and the signals' constants.
    pub(crate) visibility: Visibility,
    /// The word `server`.
    pub(crate) noun: Ident,
    /// The name of the function.
    pub(crate) name: Ident,
    /// The parameters of the function.
    pub(crate) parameters: Punctuated<FnArg, Token![,]>,
    pub(crate) options: Options,
    /// Whether all of it could be read. Otherwise it only has names that other
    /// code may use.
    pub(crate) is_read: bool,
}

impl Server {
    /// Returns the parameters with a name, which the declarations may use.
    pub(crate) fn named_parameters(&self) -> impl Iterator<Item = (&Ident, &Type)> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            FnArg::Typed(typed) => match &*typed.pat {
                Pat::Ident(name) => Some((&name.ident, &*typed.ty)),
                _ => None,
            },
            FnArg::Receiver(_) => None,
        })
    }

    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let begin = "begin with `pub server name;`";
        let head =
            |span: Span, message: &str, help: &str| mistake(Code::ServerHead, span, message, help);
        let noun = input
            .call(Ident::parse_any)
            .map_err(|error| head(error.span(), "expected `server`", begin))?;
        if noun != "server" {
            return Err(match did_you_mean(&noun.to_string(), ["server"]) {
                Some(_) => {
                    let message = format!("expected `server`, found `{noun}`");
                    head(noun.span(), &message, "did you mean `server`?")
                }
                None => head(noun.span(), "expected `server`", begin),
            });
        }
        let named = |error: syn::Error| {
            let help = "write `server name;`, which declares the function `name()`";
            head(error.span(), "a server needs a name", help)
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
        Ok(Server { attributes, visibility, noun, name, parameters, options, is_read: true })
    }
}
