//! The table of faults in the documentation: each row names existing tests.

use std::collections::HashSet;
use std::path::Path;

const TABLE: &str = include_str!("../../docs/endurance.md");

/// Collects the names of all tests in the sources below a folder.
fn collect(folder: &Path, tests: &mut HashSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                if let Some((_, name)) = line.split_once("fn ")
                    && std::mem::take(&mut is_test)
                {
                    tests.extend(name.split('(').next().map(str::to_owned));
                }
            }
        }
    }
}

#[test]
fn each_fault_of_the_table_has_its_test() {
    let mut all = HashSet::new();
    for folder in ["tests", "benches", "pode-core", "pode-macros", "pode-runtime"] {
        collect(&pode_test_crates::repository().join(folder), &mut all);
    }
    let is_title = |line: &str| line.starts_with("| fault") || line.starts_with("| limit");
    let rows = TABLE.lines().filter(|line| line.starts_with("| ") && !is_title(line));
    let mut count = 0;
    for row in rows {
        count += 1;
        let tests = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            assert!(all.contains(test), "there is no test `{test}`: {row}");
        }
    }
    assert!(count >= 60, "{count} rows");
}
