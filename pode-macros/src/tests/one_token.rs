//! Whichever single token is missing or wrong, no declaration loses its name, unless
//! it is that token: the constants of signals, upstreams and states, and the server's
//! function.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};

/// Returns the declarations, each with its `;`.
fn pieces(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut pieces = vec![Vec::new()];
    for token in tokens {
        let ends = matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ';');
        pieces.last_mut().expect("there is one").push(token);
        if ends {
            pieces.push(Vec::new());
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Returns each variant without one token, or with a wrong one in its place.
fn variants(tokens: &[TokenTree]) -> Vec<Vec<TokenTree>> {
    let wrong = TokenTree::Ident(Ident::new("wrong", Span::call_site()));
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let mut with = |replacement: Option<TokenTree>| {
            let (before, behind) = (&tokens[..index], &tokens[index + 1..]);
            found.push(before.iter().cloned().chain(replacement).chain(behind.to_vec()).collect());
        };
        with(None);
        with(Some(wrong.clone()));
        if let TokenTree::Group(group) = token {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            for inner in variants(&inner) {
                let inner = Group::new(group.delimiter(), inner.into_iter().collect());
                with(Some(inner.into()));
            }
        }
    }
    found
}

fn words(tokens: &[TokenTree]) -> BTreeSet<String> {
    tokens.iter().map(ToString::to_string).collect()
}

/// Returns the names behind `const` and `fn` at the top level.
fn names(expansion: TokenStream) -> BTreeSet<String> {
    let tokens: Vec<String> = expansion.into_iter().map(|token| token.to_string()).collect();
    let pairs = tokens.windows(2).filter(|pair| pair[0] == "const" || pair[0] == "fn");
    pairs.map(|pair| pair[1].clone()).collect()
}

#[test]
fn declarations_keep_their_names() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/every_noun.txt");
    let input = fs::read_to_string(file).expect("the input is there");
    let pieces = pieces(input.parse().expect("the input is made of tokens"));
    let expand = |pieces: &[Vec<TokenTree>]| {
        names(crate::compile(pieces.iter().flatten().cloned().collect()))
    };
    let all = expand(&pieces);
    assert_eq!(all.len(), 11, "{all:?}");
    for index in 0..pieces.len() {
        let own: BTreeSet<String> = words(&pieces[index]);
        for variant in variants(&pieces[index]) {
            let shown: TokenStream = variant.iter().cloned().collect();
            // Only its own name may be the one that it lost.
            let lost: BTreeSet<String> = own.difference(&words(&variant)).cloned().collect();
            let mut changed = pieces.clone();
            changed[index] = variant;
            let found = expand(&changed);
            let missing: Vec<&String> =
                all.difference(&found).filter(|name| !lost.contains(*name)).collect();
            assert!(missing.is_empty(), "{missing:?} after\n{shown}");
        }
    }
}
