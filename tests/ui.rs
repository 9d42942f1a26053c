//! How mistakes read: each file in `ui/` is compiled, and what the compiler
//! says must be the `.stderr` file beside it, word for word.

use std::fs;
use std::path::{Path, PathBuf};

/// The stages whose mistakes are told by the macro itself.
const OURS: [&str; 3] = ["syntax", "resolve", "check"];

#[test]
fn mistakes_read_as_written_down() {
    copy_files();
    let tests = trybuild::TestCases::new();
    for stage in OURS.into_iter().chain(["rustc"]) {
        tests.compile_fail(format!("tests/ui/{stage}/*.rs"));
    }
    tests.pass("tests/ui/pass/*.rs");
}

/// An error is of use only where the user can act on it.
#[test]
fn no_error_underlines_the_whole_macro() {
    for (path, text) in OURS.into_iter().chain(["rustc"]).flat_map(said) {
        let whole = text.lines().any(|line| line.contains("| / pode_server!"));
        let macros = text.contains("this error originates in the macro `pode_server`");
        assert!(!whole && !macros, "{path:?}");
    }
}

/// Where the macro has said what is wrong, rustc adds nothing.
#[test]
fn nothing_follows_from_a_mistake_that_is_told() {
    for (path, text) in OURS.into_iter().flat_map(said) {
        assert!(text.contains("PODE"), "{path:?} holds no mistake of ours");
        assert!(!text.contains("error[E") && !text.contains("warning"), "{path:?}");
    }
}

/// Returns what the compiler says of each mistake of a stage.
fn said(stage: &str) -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(here().join("tests/ui").join(stage)).expect("the folder is there");
    let files = files.map(|file| file.expect("the folder can be read").path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "stderr"));
    let said: Vec<_> = files
        .map(|path| {
            let text = fs::read_to_string(&path).expect("the file can be read");
            (path, text)
        })
        .collect();
    assert!(!said.is_empty());
    said
}

/// Puts the files that declarations name beside the `Cargo.toml` of the crate
/// which trybuild makes.
fn copy_files() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in `target`");
    let to = target.join("tests/trybuild/pode/files");
    let _ = fs::remove_dir_all(&to);
    copy(&here().join("tests/ui/files"), &to).expect("the files can be copied");
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

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
