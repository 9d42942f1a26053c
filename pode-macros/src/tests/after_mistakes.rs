//! After a mistake, what is left compiles: but for the errors themselves,
//! rustc has nothing to say about the expansion of any broken input.
//!
//! The inputs are the mistakes of `tests/ui` that the macro finds. Each is
//! expanded, freed of its errors, and becomes a module of one crate, which
//! cargo checks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse_quote;

use crate::files;

const MANIFEST: &str = r#"
[package]
name = "after-mistakes"
version = "0.1.0"
edition = "2024"

[dependencies]
pode = { path = POD }
serde = { version = "1", features = ["derive"] }

# It is a workspace of its own, wherever it lies.
[workspace]
"#;

/// Nobody uses what only unreadable declarations name; some mistakes come with
/// advice, which is given as a deprecation; and where nothing could be
/// understood, nothing changes what is declared. (In a macro, that last is not
/// warned of.)
const LINTS: &str = "#![deny(warnings)]\n#![allow(dead_code, deprecated, unused_mut)]\n";

#[test]
fn what_is_left_compiles() {
    let made = folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().expect("the workspace is there");
    let _ = fs::remove_dir_all(made.join("src"));
    fs::create_dir_all(made.join("src")).expect("a folder can be made");
    fs::write(made.join("Cargo.toml"), MANIFEST.replace("POD", &format!("{root:?}")))
        .expect("the manifest can be written");
    // The same versions as here, which are on this machine already.
    fs::copy(root.join("Cargo.lock"), made.join("Cargo.lock")).expect("there is a lock file");
    // Paths in declarations are relative to the crate that is compiled.
    copy(&root.join("tests/ui/files"), &made.join("files")).expect("files can be copied");
    files::in_crate(&made, || write_modules(&made));
    succeeds(
        Command::new(env!("CARGO"))
            .arg("check")
            .current_dir(&made)
            .arg("--target-dir")
            .arg(made.join("target")),
    );
}

/// Where the crate is made: beside what cargo has built.
fn folder() -> PathBuf {
    let this_test = env::current_exe().expect("a test is a file");
    let target = this_test.ancestors().nth(3).expect("it is in target/PROFILE/deps");
    target.join("tmp/after-mistakes")
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().expect("it can be started");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
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
            // Advice is no error, but for this.
            program.attrs.retain(|attribute| !attribute.path().is_ident("deny"));
            let module = prettyplease::unparse(&without_errors(program, &name));
            fs::write(made.join(format!("src/{name}.rs")), module).expect("it can be written");
            library += &format!("pub mod {name};\n");
        }
    }
    fs::write(made.join("src/lib.rs"), library).expect("it can be written");
}

/// Expands the server of a program, and leaves its errors out.
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
                // As the main function of a program, it counts as used. It
                // makes its server for no more than that.
                if function.sig.ident == "main" {
                    function.vis = parse_quote! { pub };
                    function.attrs.push(parse_quote! { #[allow(unused_must_use)] });
                }
                items.push(syn::Item::Fn(function));
            }
            syn::Item::Use(mut import) => {
                // What it brings may have been the macro alone.
                import.attrs.push(parse_quote! { #[allow(unused_imports)] });
                items.push(syn::Item::Use(import));
            }
            other => items.push(other),
        }
    }
    program.items = items;
    program
}

/// Leaves each `::core::compile_error! { … }` out, and counts them.
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
