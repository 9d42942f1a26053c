//! How mistakes read: each file in `ui/` is compiled, and what the compiler
//! says must be the `.stderr` file beside it, word for word.

#[test]
fn mistakes_read_as_written_down() {
    let tests = trybuild::TestCases::new();
    for stage in ["syntax", "resolve", "check", "rustc"] {
        tests.compile_fail(format!("tests/ui/{stage}/*.rs"));
    }
    tests.pass("tests/ui/pass/*.rs");
}

/// An error is of use only where the user can act on it.
#[test]
fn no_error_underlines_the_whole_macro() {
    let mut looked_at = 0;
    for stage in ["syntax", "resolve", "check", "rustc"] {
        let folder = format!("{}/tests/ui/{stage}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).expect("the folder is there") {
            let path = file.expect("the folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "stderr") {
                let text = std::fs::read_to_string(&path).expect("the file can be read");
                let whole = text.lines().any(|line| line.contains("| / pode_server!"));
                assert!(
                    !whole && !text.contains("this error originates in the macro `pode_server`"),
                    "{path:?}"
                );
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 0);
}
