//! The texts of error messages: each file in `ui/` is compiled, and the
//! compiler's output must be the `.stderr` file beside it, word for word.
//!
//! After an intended change, `UPDATE_SNAPSHOTS=1 cargo test --test ui` rewrites
//! them; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

#[path = "ui/said.rs"]
mod said;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use pode_test_crates::{Libraries, repository, target};
use said::Said;

/// The stages whose mistakes the macro itself reports.
const OURS: [&str; 3] = ["syntax", "resolve", "check"];

/// rustc reports all mistakes of macros before it goes on, so these cases are
/// the modules of one crate. Advice is a lint, which comes last.
#[test]
fn mistakes_read_as_written_down() {
    let cases = OURS.into_iter().flat_map(|stage| files(stage, "rs"));
    let is_advice = |case: &PathBuf| fs::read_to_string(case).unwrap().contains("#![deny(");
    let (advice, cases): (Vec<_>, Vec<_>) = cases.partition(is_advice);
    let out = compare_modules(&cases, "ui-ours", Libraries::built());
    compare(&advice, said_of_each(&advice, &out));
}

/// The same, of a pode without any feature.
#[test]
fn words_whose_feature_is_off_read_as_written_down() {
    compare_modules(&files("feature", "rs"), "ui-feature", Libraries::lean());
}

/// rustc's later stages report what the expansion leaves to them; they stop at
/// the first crate with a mistake.
#[test]
fn mistakes_that_rustc_finds_read_as_written_down() {
    let cases = files("rustc", "rs");
    compare(&cases, said_of_each(&cases, &empty_folder("ui-rustc")));
}

/// Each is a crate of its own, since the macro tells one and rustc the next, or
/// both tell something.
#[test]
fn mistakes_of_newcomers_read_as_written_down() {
    let cases = files("newcomer", "rs");
    compare(&cases, said_of_each(&cases, &empty_folder("ui-newcomer")));
    compare_list();
}

/// Whoever makes one of them told moves it to the folder above.
#[test]
fn mistakes_of_newcomers_that_nobody_tells_compile() {
    let cases = files("newcomer/silent", "rs");
    let said = said_of_each(&cases, &empty_folder("ui-newcomer-silent"));
    assert!(said.is_empty(), "told now, so they move to tests/ui/newcomer: {:?}", said.keys());
}

/// Compiles the cases as modules of one crate, and returns the folder of its
/// output.
fn compare_modules(cases: &[PathBuf], name: &str, libraries: &Libraries) -> PathBuf {
    let modules = cases.iter().enumerate();
    let modules = modules.map(|(number, case)| format!("#[path = {case:?}]\nmod case_{number};\n"));
    let out = empty_folder(name);
    let root = out.join("lib.rs");
    fs::write(&root, modules.collect::<String>()).unwrap();
    let mut rustc = libraries.rustc(&folder(), &out);
    compare(cases, said::by(rustc.arg("--crate-type=lib").arg(&root)));
    out
}

/// Compiles each case as a crate of its own.
fn said_of_each(cases: &[PathBuf], out: &Path) -> Said {
    let (left, said) = (Mutex::new(cases.iter()), Mutex::new(Said::new()));
    let compile = || {
        while let Some(case) = { left.lock().unwrap().next() } {
            let mut rustc = Libraries::built().rustc(&folder(), out);
            let of_case = said::by(rustc.arg("--crate-name=case").arg(case));
            said.lock().unwrap().extend(of_case);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(compile);
        }
    });
    said.into_inner().unwrap()
}

/// Compares the output of each case with the file, or writes the file.
#[track_caller]
fn compare(cases: &[PathBuf], mut said: Said) {
    let mut others = String::new();
    for case in cases {
        let said = said.remove(case).unwrap_or_default();
        let written = case.with_extension("stderr");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&written, &said).unwrap();
        }
        let expected = fs::read_to_string(&written).unwrap_or_default();
        if said.is_empty() {
            others += &format!("== {} compiles\n\n", case.display());
        } else if said != expected {
            let case = case.display();
            others += &format!("== {case}: expected\n{expected}\n== but said was\n{said}\n");
        }
    }
    assert!(others.is_empty(), "{others}");
    assert!(said.is_empty(), "said of nobody's file: {said:?}");
}

/// Compares the lists in the README of newcomers with the cases, or writes them.
fn compare_list() {
    let path = folder().join("newcomer/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (head, _) = readme.split_once("## Told\n").unwrap();
    let mut lists = format!("{head}## Told\n\n| case | mistake | said first |\n|---|---|---|\n");
    for (path, text) in written("newcomer") {
        let (_, said) = text.lines().next().unwrap().split_once(": ").unwrap();
        let remarks = remarks(&path.with_extension("rs"));
        lists += &row(&path, [&remarks[0], said]);
    }
    lists += "\n## Told by nobody\n\n| case | mistake | what happens |\n|---|---|---|\n";
    for path in files("newcomer/silent", "rs") {
        let remarks = remarks(&path);
        lists += &row(&path, [&remarks[0], &remarks[1]]);
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &lists).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), lists);
}

fn row(case: &Path, cells: [&str; 2]) -> String {
    let name = case.file_stem().unwrap().to_string_lossy();
    let [mistake, said] = cells.map(|cell| cell.replace('|', r"\|"));
    format!("| `{name}` | {mistake} | {said} |\n")
}

/// Returns what a newcomer's case says of itself, by line.
fn remarks(case: &Path) -> Vec<String> {
    let text = fs::read_to_string(case).unwrap();
    text.lines().map_while(|line| line.strip_prefix("//! ")).map(str::to_owned).collect()
}

/// An error is useful only where the user can act on it.
#[test]
fn no_error_underlines_the_whole_macro() {
    for (path, text) in OURS.into_iter().chain(["rustc"]).flat_map(written) {
        let whole = text.lines().any(|line| line.contains("| / pode_server!"));
        let macros = text.contains("this error originates in the macro `pode_server`");
        assert!(!whole && !macros, "{path:?}");
    }
}

/// Where the macro has reported a mistake, rustc adds nothing.
#[test]
fn nothing_follows_from_a_mistake_that_is_told() {
    for (path, text) in OURS.into_iter().flat_map(written) {
        assert!(text.contains("PODE"), "{path:?} holds no mistake of ours");
        assert!(!text.contains("error[E") && !text.contains("warning"), "{path:?}");
    }
}

/// That each error is in the case's file is seen by the comparison.
#[test]
fn each_mistake_of_a_newcomer_is_told_once() {
    for (path, text) in written("newcomer") {
        let remarks = remarks(&path.with_extension("rs"));
        let exception = remarks.iter().find_map(|line| line.strip_prefix("Told ")?.split_once(' '));
        let times = exception.map_or(1, |(times, _)| times.parse().unwrap());
        let is_start = |line: &&str| line.starts_with("error") || line.starts_with("warning");
        assert_eq!(text.lines().filter(is_start).count(), times, "{path:?}");
    }
}

/// Returns the expected output of each mistake of a stage.
fn written(stage: &str) -> Vec<(PathBuf, String)> {
    let files = files(stage, "stderr").into_iter();
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn folder() -> PathBuf {
    repository().join("tests/ui")
}

/// Returns the files of a stage with this ending, sorted.
fn files(stage: &str, ending: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder().join(stage)).expect("the folder is there");
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == ending));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn empty_folder(name: &str) -> PathBuf {
    let folder = target().join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
