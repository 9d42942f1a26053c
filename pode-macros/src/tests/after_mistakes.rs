//! After a mistake, the rest compiles: apart from the errors themselves, rustc
//! reports nothing about the expansion of any broken input.
//!
//! The inputs are the mistakes of `tests/ui` that the macro finds. Each is
//! expanded, stripped of its errors, and becomes a module of one crate.

use std::fs;
use std::path::Path;

use pode_test_crates::{Libraries, output, repository, target};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse_quote;

use crate::files;
use crate::shown::shown;

/// Names that only unparsed declarations use are unused; some mistakes come
/// with advice, which is given as a deprecation; and if nothing was understood,
/// nothing changes the collected declarations. (In a macro, rustc doesn't warn
/// of that last one.)
const LINTS: &str = "#![deny(warnings)]\n#![allow(dead_code, deprecated, unused_mut)]\n";

#[test]
fn what_is_left_compiles() {
    let made = target().join("after-mistakes");
    let _ = fs::remove_dir_all(&made);
    fs::create_dir_all(&made).expect("a folder can be made");
    // Paths in declarations are relative to it.
    let folder = repository().join("tests/ui");
    files::in_crate(&folder, || write_modules(&made));
    let mut rustc = Libraries::built().rustc(&folder, &made);
    rustc.arg("--crate-type=lib").arg(made.join("lib.rs"));
    output(&mut rustc).unwrap_or_else(|said| panic!("{said}"));
}

fn write_modules(made: &Path) {
    let mut library = LINTS.to_owned();
    for stage in ["syntax", "resolve", "check"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui").join(stage);
        let files = fs::read_dir(folder).expect("there are mistakes of this stage");
        let files = files.map(|file| file.expect("it can be read").path());
        for file in files.filter(|file| file.extension().is_some_and(|found| found == "rs")) {
            let name = file.file_stem().expect("it has a name").to_string_lossy();
            let name = format!("{stage}_{}", name.replace('-', "_"));
            let text = fs::read_to_string(&file).expect("it can be read");
            let mut program = syn::parse_file(&text).expect("only its server is broken");
            // Advice becomes an error only by this attribute.
            program.attrs.retain(|attribute| !attribute.path().is_ident("deny"));
            let module = prettyplease::unparse(&without_errors(program, &name));
            fs::write(made.join(format!("{name}.rs")), module).expect("it can be written");
            library += &format!("pub mod {name};\n");
        }
    }
    fs::write(made.join("lib.rs"), library).expect("it can be written");
}

/// Expands the server of a program, and removes its errors.
fn without_errors(mut program: syn::File, name: &str) -> syn::File {
    let mut items = Vec::new();
    for item in program.items {
        match item {
            syn::Item::Macro(call) if call.mac.path.is_ident("pode_server") => {
                let expansion = crate::compile(call.mac.tokens);
                let (left, errors) = strip(expansion);
                let advice = left.to_string().contains("deprecated");
                assert!(errors > 0 || advice, "{name} has no mistake");
                let left: syn::File = syn::parse2(left).expect("an expansion is made of items");
                items.extend(left.items);
            }
            syn::Item::Fn(mut function) => {
                // As the main function of a program, it counts as used. It only
                // makes its server.
                if function.sig.ident == "main" {
                    function.vis = parse_quote! { pub };
                    function.attrs.push(parse_quote! { #[allow(unused_must_use)] });
                }
                items.push(syn::Item::Fn(function));
            }
            syn::Item::Use(mut import) => {
                // Only the macro may have used the import.
                import.attrs.push(parse_quote! { #[allow(unused_imports)] });
                items.push(syn::Item::Use(import));
            }
            mut item => {
                let derive = attributes(&mut item).and_then(|all| {
                    let is_it = |one: &syn::Attribute| shown(one) == "#[derive(Serialize, View)]";
                    all.iter().position(is_it)
                });
                if let Some(derive) = derive {
                    let (left, errors) = strip(crate::view::derive(item.to_token_stream()));
                    assert!(errors > 0, "{name} has no mistake");
                    let left: syn::File = syn::parse2(left).expect("an expansion is made of items");
                    items.extend(left.items);
                    let all = attributes(&mut item).expect("the derive is one");
                    all[derive] = parse_quote! { #[derive(Serialize)] };
                    all.retain(|one| !one.path().is_ident("view"));
                }
                items.push(item);
            }
        }
    }
    program.items = items;
    program
}

fn attributes(item: &mut syn::Item) -> Option<&mut Vec<syn::Attribute>> {
    match item {
        syn::Item::Struct(item) => Some(&mut item.attrs),
        syn::Item::Enum(item) => Some(&mut item.attrs),
        _ => None,
    }
}

/// Removes each `::core::compile_error! { … }`, and counts them.
fn strip(tokens: TokenStream) -> (TokenStream, usize) {
    const TOKENS_BEFORE_MESSAGE: usize = 7;
    let mut left = TokenStream::new();
    let mut errors = 0;
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        let ahead = tokens.get(place..place + TOKENS_BEFORE_MESSAGE + 1).unwrap_or_default();
        let path: String =
            ahead.iter().take(TOKENS_BEFORE_MESSAGE).map(ToString::to_string).collect();
        if path == "::core::compile_error!" {
            errors += 1;
            place += TOKENS_BEFORE_MESSAGE + 1;
            continue;
        }
        place += 1;
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let (inner, more) = strip(group.stream());
                errors += more;
                Group::new(Delimiter::Brace, inner).to_tokens(&mut left);
            }
            token => token.to_tokens(&mut left),
        }
    }
    (left, errors)
}
