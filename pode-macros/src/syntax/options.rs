//! `{ field: value, … }`

use pode_core::check::Code;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Token, braced, token};

use super::forgotten::next_noun;
use super::{mistake, unreadable};

/// The options of a declaration, in their order; usually none.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) fields: Vec<Field>,
    /// What could not be read; the other options could.
    pub(crate) unread: Vec<syn::Error>,
}

/// One option.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

impl Options {
    /// Parses the braces if they are there.
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Options::default();
        if !input.peek(token::Brace) {
            return Ok(options);
        }
        let content;
        braced!(content in input);
        if let Some(noun) = next_noun(content.cursor()) {
            let message = "these braces hold options, and no declarations";
            let help = "write the declarations one behind the other, each with its `;`";
            options.unread.push(unreadable(noun.span(), message, help));
            content.parse::<TokenStream>()?;
        }
        while !content.is_empty() {
            match options.field(&content) {
                Ok(()) => {}
                Err(error) => {
                    options.unread.push(error);
                    while !content.is_empty() && !content.peek(Token![,]) {
                        content.parse::<TokenTree>()?;
                    }
                    content.parse::<Option<Token![,]>>()?;
                }
            }
        }
        Ok(options)
    }

    fn field(&mut self, content: ParseStream<'_>) -> syn::Result<()> {
        let field: Field = content.parse()?;
        let name = field.name.clone();
        self.fields.push(field);
        if content.is_empty() || content.parse::<Option<Token![,]>>()?.is_some() {
            return Ok(());
        }
        if content.peek(Ident::peek_any) && content.peek2(Token![:]) {
            let message = format!("expected `,` behind the value of `{name}`");
            let help = "separate options by `,`";
            self.unread.push(unreadable(content.span(), message, help));
            return Ok(());
        }
        let message = format!("the value of `{name}` ends before this");
        Err(unreadable(content.span(), message, "remove it, or separate options by `,`"))
    }
}

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?.unraw();
        if !input.peek(Token![:]) {
            let message = format!("option `{name}` has no value");
            return Err(unreadable(name.span(), message, format!("write `{name}: value`")));
        }
        if syn::parse2::<Ident>(name.to_token_stream()).is_err() {
            // As a field name, it would make the expansion unparsable.
            let message = format!("`{name}` can't be the name of an option");
            let help = "write `option: value`, with a word that is none of Rust's";
            return Err(unreadable(name.span(), message, help));
        }
        input.parse::<Token![:]>()?;
        if name == "limits" && input.peek(token::Brace) {
            let message = "limits are a value of the struct `Limits`";
            let help = "write `limits: Limits { … }`";
            return Err(mistake(Code::OptionValue, name.span(), message, help));
        }
        if input.is_empty() || input.peek(Token![,]) {
            let message = format!("option `{name}` has no value");
            return Err(unreadable(name.span(), message, format!("write `{name}: value`")));
        }
        Ok(Field { name, value: input.parse()? })
    }
}
