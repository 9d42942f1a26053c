//! `backplane redis settings.redis_url { options };`

use proc_macro2::{Ident, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Expr, Lit, Token, token};

use super::{Options, at_end, unreadable};

/// A backplane as written.
pub(crate) struct Backplane {
    /// What carries the messages, such as `redis`.
    pub(crate) kind: Ident,
    pub(crate) url: Expr,
    pub(crate) options: Options,
}

impl Backplane {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let example = "write `backplane redis \"redis://localhost:6379\";`";
        if at_end(input) || input.peek(token::Brace) {
            let message = "a backplane needs its kind and a URL";
            return Err(unreadable(input.span(), message, example));
        }
        if input.peek(Lit) || begins_expression(input) {
            let message = "expected the kind of the backplane before its URL";
            let help = "write `backplane redis` and then the URL";
            return Err(unreadable(input.span(), message, help));
        }
        let kind = input.call(Ident::parse_any).map_err(|error| {
            unreadable(error.span(), "expected the kind of the backplane", example)
        })?;
        if input.peek(Token![:]) && !input.peek(Token![::]) || input.peek(Token![=]) {
            let found = input.fork().parse::<TokenTree>()?;
            let message =
                format!("the URL of a backplane stands behind its kind, without `{found}`");
            return Err(unreadable(input.span(), message, example));
        }
        if at_end(input) || input.peek(token::Brace) {
            if kind == "redis" {
                let message = format!("backplane `{kind}` has no URL");
                return Err(unreadable(input.span(), message, example));
            }
            let message = format!("`{kind}` stands alone: a backplane needs its kind and a URL");
            let help =
                format!("write `backplane redis {kind};`, if `{kind}` is the URL of a Redis");
            return Err(unreadable(kind.span(), message, help));
        }
        let url = Expr::parse_without_eager_brace(input)?;
        let options = Options::parse(input)?;
        Ok(Backplane { kind, url, options })
    }
}

/// Tells whether an expression stands where a kind should: `settings.redis_url`,
/// `env!("REDIS_URL")`, `url()`, `Url::new()`, `&url`.
fn begins_expression(input: ParseStream<'_>) -> bool {
    let goes_on = input.peek2(Token![.]) || input.peek2(Token![!]) || input.peek2(Token![::]);
    let is_called =
        input.peek2(token::Paren) && !input.fork().parse::<Ident>().is_ok_and(|it| it == "redis");
    input.peek(Token![&]) || goes_on || is_called
}
