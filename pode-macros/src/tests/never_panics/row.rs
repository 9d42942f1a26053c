//! Flat lists of tokens, and inputs rebuilt from them.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;

/// An input, shown as a user would type it.
pub(super) struct Input(pub(super) TokenStream);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", visible(self.0.clone()))
    }
}

/// Shows groups without delimiters as `none! { … }`.
fn visible(tokens: TokenStream) -> TokenStream {
    let shown = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let inner = visible(group.stream());
            match group.delimiter() {
                Delimiter::None => quote! { none! { #inner } },
                delimiter => TokenTree::Group(Group::new(delimiter, inner)).into(),
            }
        }
        token => token.into(),
    });
    shown.collect()
}

/// A token of a flat list, so that a change may begin inside a group and end
/// outside.
#[derive(Clone)]
pub(super) enum Flat {
    Open(Delimiter),
    Close,
    Token(TokenTree),
}

pub(super) fn flat(tokens: TokenStream, row: &mut Vec<Flat>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                row.push(Flat::Open(group.delimiter()));
                flat(group.stream(), row);
                row.push(Flat::Close);
            }
            token => row.push(Flat::Token(token)),
        }
    }
}

/// Rebuilds groups: unmatched closing delimiters are dropped, and groups that
/// are still open at the end are closed there.
pub(super) fn grouped(row: Vec<Flat>) -> TokenStream {
    let mut open = vec![(Delimiter::None, Vec::new())];
    let close = |open: &mut Vec<(Delimiter, Vec<TokenTree>)>| {
        if let Some((delimiter, inner)) = open.pop() {
            let group = TokenTree::Group(Group::new(delimiter, inner.into_iter().collect()));
            match open.last_mut() {
                Some((_, outer)) => outer.push(group),
                None => open.push((Delimiter::None, vec![group])),
            }
        }
    };
    for flat in row {
        match flat {
            Flat::Open(delimiter) => open.push((delimiter, Vec::new())),
            Flat::Close if open.len() > 1 => close(&mut open),
            Flat::Close => {}
            Flat::Token(token) => {
                if let Some((_, inner)) = open.last_mut() {
                    inner.push(token);
                }
            }
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.into_iter().flat_map(|(_, tokens)| tokens).collect()
}

pub(super) fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|error| panic!("{text:?} is not made of tokens: {error}"))
}
