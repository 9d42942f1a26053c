//! Snapshots: each input in this folder, expanded and formatted, is the
//! `.expanded.rs` file beside it.
//!
//! After an intended change, `UPDATE_SNAPSHOTS=1 cargo test -p pode-macros`
//! rewrites them; read the difference before you commit it.

mod after_mistakes;
mod checks;
mod features;
mod never_panics;
mod one_token;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

#[track_caller]
fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests");
    let input = fs::read_to_string(folder.join(format!("{name}.txt"))).expect("the input is there");
    let tokens: TokenStream = input.parse().expect("the input is made of tokens");
    let expansion = syn::parse2(crate::compile(tokens)).expect("an expansion is made of items");
    let expansion = prettyplease::unparse(&expansion);

    let snapshot = folder.join(format!("{name}.expanded.rs"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &expansion).expect("the snapshot can be written");
    }
    let expected = fs::read_to_string(&snapshot).unwrap_or_default();
    // The whole text would be too long to read.
    let lines = expansion.lines().zip(expected.lines().chain(std::iter::repeat("(the end)")));
    for (number, (line, expected)) in (1..).zip(lines) {
        assert_eq!(line, expected, "line {number} of {name}; see the module's documentation");
    }
    assert_eq!(expansion.len(), expected.len(), "{name} ends elsewhere");
}

#[test]
fn web_signal() {
    check("web_signal");
}

/// Every noun, with all its parts.
#[test]
fn every_noun() {
    check("every_noun");
}

/// Words of Rust as names: `r#type` is named `type` at run time, and takes `:type`.
#[test]
fn raw_names() {
    check("raw_names");
}

/// Nothing is said of folders and files that may be there.
#[test]
fn without_cargo_the_true_reason_is_told() {
    let block = quote::quote! {
        server example;
        views "views";
        public "public";
        endpoint https 8443 { certificate: pem("chain.pem", "key.pem") };
        route GET "/" => view "index";
    };
    let view = quote::quote! { #[view("index")] struct Index; };
    let [block, view] = crate::files::in_no_crate(|| {
        [crate::compile(block).to_string(), crate::view::derive(view).to_string()]
    });
    for what in ["folder `views`", "folder `public`", "file `chain.pem`"] {
        let told = format!("{what} can't be looked for: CARGO_MANIFEST_DIR isn't set");
        assert_eq!(block.matches(&told).count(), 1, "{block}");
    }
    assert_eq!(block.matches("PODE").count(), 3, "{block}");
    assert!(view.contains("folder `views` can't be looked for"), "{view}");
    // rustc has nothing to add.
    assert!(!block.contains("env !") && !view.contains("env !"), "{block} {view}");
}

/// The page of the macro shows each noun, as it is written.
#[test]
fn the_page_of_the_macro_can_be_copied() {
    let page = include_str!("../lib.rs");
    let (_, block) = page.split_once("/// ```text\n").expect("the page has a block");
    let (block, rest) = block.split_once("/// ```\n").expect("the block ends");
    let block: String = block.lines().map(|line| format!("{}\n", &line[3..])).collect();
    let tokens: TokenStream = block.parse().expect("it is made of tokens");
    let mut mistakes = crate::diagnostic::Mistakes::default();
    let written = crate::syntax::parse(tokens, &mut mistakes).expect("it has a head");
    assert!(mistakes.is_empty() && !written.incomplete, "{mistakes:?}");
    let shown: BTreeSet<String> =
        written.declarations.iter().map(|declaration| declaration.noun.to_string()).collect();
    for noun in shown {
        assert!(rest.contains(&format!("[`{noun}`]: ../pode/keyword/enum.{noun}.html")), "{noun}");
    }
}

/// The rest is expanded, with one error for each mistake.
#[test]
fn mistakes() {
    check("mistakes");
}

/// Folders and views that are missing, or declared twice.
#[test]
fn files() {
    check("files");
}
