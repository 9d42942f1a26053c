//! The `pode_server!` macro: declarations in, warp filters and broadcast
//! channels out.
//!
//! A small compiler in named stages. `syntax` parses the source, `resolve`
//! makes the model, the checks of `pode-core` validate the whole, and `expand`
//! writes it as Rust. Mistakes of all stages are collected and reported
//! together. Use it through the `pode` crate, whose items the expansion names.
//!
//! `diagnostic` turns mistakes into compile errors at the user's tokens, `files` is the
//! only access to the user's files, `feature` are the parts that a build may leave out,
//! `shown` prints types as users would write them. `view` is the derive `View`.

mod diagnostic;
mod expand;
mod feature;
mod files;
mod resolve;
mod shown;
mod syntax;
mod view;

#[cfg(test)]
mod tests;

use diagnostic::Mistakes;

/// Declares a server: its endpoints, routes, signals, views and public files.
///
/// The `pode` crate documents the language, word by word.
#[proc_macro]
pub fn pode_server(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    compile(input.into()).into()
}

/// Each mistake is a compile error with a code, at the struct's name or at that of
/// its view.
#[proc_macro_derive(View, attributes(view))]
pub fn view(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    view::derive(input.into()).into()
}

fn compile(input: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let mut mistakes = Mistakes::default();
    let Some(written) = syntax::parse(input, &mut mistakes) else {
        return mistakes.errors();
    };
    let (model, places) = resolve::resolve(&written, &mut mistakes);
    for diagnostic in pode_core::check::check(&model) {
        mistakes.add_found(diagnostic, &places);
    }
    expand::expand(&written, &model, mistakes)
}
