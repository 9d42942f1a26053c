//! Every code of a mistake is documented, demonstrated, and tested with a wrong
//! and a right example.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pode_core::check::Code;
use proc_macro2::TokenStream;

use crate::feature::with_features_of;
use crate::files;

/// The folders of UI tests whose mistakes the macro reports.
const STAGES: [&str; 4] = ["syntax", "resolve", "check", "feature"];

/// One part of a paragraph, after `Wrong:` or `Right:`.
#[derive(Default)]
struct Part {
    declarations: String,
    files: Vec<(String, String)>,
}

/// Returns each paragraph of the page: its code, and its wrong and right parts.
fn paragraphs(page: &str) -> Vec<(String, Part, Part)> {
    let mut paragraphs = Vec::new();
    for section in page.split("\n### ").skip(1) {
        let section = section.split("\n## ").next().expect("there is a first part");
        let (code, _) = section.split_once(": ").expect("a title follows the code");
        let (_, examples) = section.split_once("\nWrong:\n").expect(code);
        let (wrong, right) = examples.split_once("\nRight:\n").expect(code);
        paragraphs.push((code.to_owned(), part(wrong), part(right)));
    }
    paragraphs
}

fn part(text: &str) -> Part {
    let mut part = Part::default();
    for block in text.split("\n```").skip(1).step_by(2) {
        let (info, content) = block.split_once('\n').expect("a block has lines");
        let content = format!("{content}\n");
        match info.split_once(' ') {
            Some((_, name)) => part.files.push((name.to_owned(), content)),
            None => part.declarations = content,
        }
    }
    part
}

/// Expands the part, with the features of its `Cargo.toml`, and returns the codes of its mistakes and its advice.
fn codes(part: &Part) -> BTreeSet<String> {
    let folder = tempfile();
    for (name, content) in &part.files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).unwrap();
        fs::write(path, content).unwrap();
    }
    let derived = part.declarations.strip_prefix("#[derive(Serialize, View)]");
    let block = match derived {
        Some(item) => item.to_owned(),
        None => with_what_is_left_out(&part.declarations),
    };
    let tokens: TokenStream = block.parse().expect("it is made of tokens");
    let compile = if derived.is_some() { crate::view::derive } else { crate::compile };
    let manifest = part.files.iter().find(|(name, _)| name == "Cargo.toml");
    let manifest = manifest.map(|(_, content)| content.as_str());
    let compile = || with_features_of(manifest, || compile(tokens));
    let expansion = files::in_crate(&folder, compile).to_string();
    fs::remove_dir_all(&folder).unwrap();
    let found = expansion.match_indices("PODE");
    found.map(|(start, _)| expansion[start..start + "PODE000".len()].to_owned()).collect()
}

/// Adds the head, endpoints, and a declaration for endpoints to serve, where an
/// example has none.
fn with_what_is_left_out(declarations: &str) -> String {
    let mut block = declarations.to_owned();
    if !block.contains("server ") && !block.contains("sever ") {
        block.insert_str(0, "server example;\n");
        if !block.contains("endpoint ") {
            block.push_str("endpoint http 8090; endpoint ws 8091;");
            block.push_str(
                "route GET \"/left-out\" => left_out; signal LEFT_OUT: u8 = \"/left-out\";",
            );
        }
    }
    let shows = |words: &[&str]| words.iter().any(|word| block.contains(&format!("{word} ")));
    if !shows(&["route", "public", "mount", "signal"]) {
        let (route, signal) = (shows(&["http", "https"]), shows(&["ws", "wss"]));
        block.push_str(if route { "route GET \"/left-out\" => left_out;" } else { "" });
        block.push_str(if signal { "signal LEFT_OUT: u8 = \"/left-out\";" } else { "" });
    }
    block
}

/// Makes an empty folder for this test.
fn tempfile() -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let folder = std::env::temp_dir().join(format!("pode-checks-{}-{thread}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(workspace().join("docs/checks.md")).expect("the page is there")
}

#[test]
fn each_code_has_a_paragraph() {
    let described: Vec<String> = paragraphs(&page()).into_iter().map(|(code, ..)| code).collect();
    let codes: Vec<String> = Code::ALL.iter().map(Code::to_string).collect();
    assert_eq!(described, codes, "in the order of their numbers");
}

#[test]
fn a_wrong_example_has_the_one_mistake_and_a_right_one_has_none() {
    let none = BTreeSet::new();
    let mut others = Vec::new();
    for (code, wrong, right) in paragraphs(&page()) {
        let (wrong, right) = (codes(&wrong), codes(&right));
        if wrong != BTreeSet::from([code.clone()]) || right != none {
            others.push(format!("{code}: wrong has {wrong:?}, right has {right:?}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

/// Returns the texts of the files with this ending in a folder of UI tests.
fn ui_files(stage: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(workspace().join("tests/ui").join(stage)).expect("it is there");
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == ending));
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn each_code_is_tested_on_both_sides_of_its_border() {
    let mut untested: BTreeSet<String> = Code::ALL.iter().map(Code::to_string).collect();
    for stage in STAGES {
        for (path, said) in ui_files(stage, "stderr") {
            let found: BTreeSet<&String> =
                untested.iter().filter(|code| said.contains(code.as_str())).collect();
            let several = path.file_name().unwrap().to_string_lossy().starts_with("several-");
            assert!(several || found.len() <= 1, "{path:?} has several mistakes");
        }
    }
    let said: String = STAGES
        .into_iter()
        .flat_map(|stage| ui_files(stage, "stderr"))
        .map(|(_, said)| said)
        .collect();
    let passing: String = ui_files("pass", "rs").into_iter().map(|(_, code)| code).collect();
    untested.retain(|code| !said.contains(code.as_str()) || !passing.contains(code.as_str()));
    assert_eq!(untested, BTreeSet::new());
}
