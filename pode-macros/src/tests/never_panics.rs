//! For any input, the macro doesn't panic, and it returns items.
//!
//! Inputs are mutations of the project's own: the snapshots, the mistakes of
//! `tests/ui` and the examples. `PROPTEST_CASES` sets how many of each kind are
//! tried.

mod input;
mod odd;
mod row;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use quote::quote;

use self::input::{changed_input, filled_shape, random_input};
use crate::diagnostic::Mistakes;
use crate::syntax::{self, Action, Kind, Receiver, Written};

fn config(cases: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases, ..config },
    }
}

proptest! {
    #![proptest_config(config(20_000))]
    #[test]
    fn changed_inputs(input in changed_input()) {
        check(input.0);
    }
}

proptest! {
    #![proptest_config(config(20_000))]
    #[test]
    fn filled_shapes(input in filled_shape()) {
        check(input.0);
    }
}

proptest! {
    #![proptest_config(config(20_000))]
    #[test]
    fn random_tokens(input in random_input()) {
        check(input.0);
    }
}

#[track_caller]
fn check(input: TokenStream) {
    let expansion = crate::compile(input.clone());
    if syn::parse2::<syn::File>(expansion.clone()).is_ok() {
        return;
    }
    // Handlers pass through unchanged, and rustc reports their errors. They
    // stand in the function's body, so the items around it are valid.
    let items = without_bodies(expansion.clone());
    assert!(syn::parse2::<syn::File>(items).is_ok(), "the expansion is no items");
    let written = syntax::parse(input, &mut Mistakes::default());
    let half_typed = written.is_some_and(|written| handlers(&written).any(is_no_expression));
    assert!(half_typed, "the function has no body");
}

fn handlers(written: &Written) -> impl Iterator<Item = &TokenStream> {
    written.declarations.iter().filter_map(|declaration| match &declaration.kind {
        Kind::Route(route) => match &route.action {
            Action::Handler(handler) => Some(handler),
            Action::View { .. } | Action::Redirect { .. } => None,
        },
        Kind::Signal(signal) => match &signal.receiver {
            Some(Receiver::Handler { handler, .. }) => Some(handler),
            Some(Receiver::Rebroadcast(_)) | None => None,
        },
        Kind::On(on) => Some(&on.handler),
        Kind::Timer(timer) => Some(&timer.handler),
        Kind::Schedule(schedule) => Some(&schedule.handler),
        Kind::Upstream(upstream) => upstream.handler.as_ref().ok(),
        _ => None,
    })
}

/// Tells whether it can't be an argument of a call, which is how the expansion
/// writes it.
fn is_no_expression(handler: &TokenStream) -> bool {
    syn::parse2::<syn::ExprCall>(quote! { call(#handler) }).is_err()
}

/// Empties the braces of the top level, which are those of the function.
fn without_bodies(expansion: TokenStream) -> TokenStream {
    let emptied = expansion.into_iter().map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            TokenTree::Group(Group::new(Delimiter::Brace, TokenStream::new()))
        }
        token => token,
    });
    emptied.collect()
}
