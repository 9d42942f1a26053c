//! `route METHOD, … "/path" (name: Type, …) { options } => handler;`

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{LitStr, Token, Type, parenthesized};

use super::{Action, Options, text, unreadable};

/// A route as written.
pub(crate) struct Route {
    pub(crate) methods: Vec<Ident>,
    pub(crate) path: LitStr,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) options: Options,
    pub(crate) action: Action,
}

/// One argument of a handler.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

impl Route {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let methods = methods(input)?;
        let path = text(input, "a path", "/path")?;
        let arguments = if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            content.parse_terminated(Argument::parse, Token![,])?.into_iter().collect()
        } else {
            Vec::new()
        };
        let options = Options::parse(input)?;
        let methods_text: Vec<String> = methods.iter().map(Ident::to_string).collect();
        let title = format!("{} {}", methods_text.join(", "), path.value());
        let action = Action::parse(input, &title)?;
        Ok(Route { methods, path, arguments, options, action })
    }
}

fn methods(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let mut methods = Vec::new();
    loop {
        let method = input.call(Ident::parse_any).map_err(|error| {
            let help = "write `route GET \"/path\" => handler;`";
            unreadable(error.span(), "a route needs a method", help)
        })?;
        methods.push(method);
        if !input.peek(Token![,]) {
            return Ok(methods);
        }
        input.parse::<Token![,]>()?;
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.call(Ident::parse_any)?;
        if !input.peek(Token![:]) {
            let message = format!("argument `{name}` needs a type");
            return Err(unreadable(name.span(), message, format!("write `{name}: Type`")));
        }
        input.parse::<Token![:]>()?;
        Ok(Argument { name, ty: input.parse()? })
    }
}
