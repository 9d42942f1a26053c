//! `route METHOD, … "/path" (name: Type, …) { options } => handler;`

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{LitStr, Token};

use super::{Action, Argument, Options, text, unreadable};

/// A route as written.
pub(crate) struct Route {
    pub(crate) methods: Vec<Ident>,
    pub(crate) path: LitStr,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) options: Options,
    pub(crate) action: Action,
}

impl Route {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let methods = methods(input)?;
        let path = text(input, "a path", "/path")?;
        let arguments = Argument::parse_all(input)?;
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
