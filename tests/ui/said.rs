//! rustc's output, without the parts that change from one machine or day to the
//! next.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use pode_test_crates::repository;
use serde_json::Value;

/// The output for each file.
pub(crate) type Said = BTreeMap<PathBuf, String>;

/// Compiles, and returns the output.
pub(crate) fn by(rustc: &mut Command) -> Said {
    let output = rustc.current_dir(repository()).arg("--error-format=json").output().unwrap();
    let mut said = Said::new();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let spans = message["spans"].as_array().unwrap();
        // The last lines count the errors, and have no place.
        let Some(place) = spans.iter().find(|span| span["is_primary"] == true) else { continue };
        let file = repository().join(place["file_name"].as_str().unwrap());
        let of_file = said.entry(file).or_default();
        if !of_file.is_empty() {
            of_file.push('\n');
        }
        *of_file += &steady(message["rendered"].as_str().unwrap());
    }
    said
}

/// Removes the repository's path, details that any change of its libraries would
/// change (their line numbers, and how many types have a trait), and the file
/// with a long type, whose name depends on the path.
fn steady(rendered: &str) -> String {
    let rendered = rendered.replace(&format!("{}/", repository().display()), "");
    let is_about_file = |line: &&str| {
        line.contains("the full name for the type has been written to")
            || line.contains("to print the full type name to the console")
    };
    let lines = || rendered.trim_end().lines().filter(|line| !is_about_file(line));
    // Rustc makes the margin as wide as the largest number.
    let margin = lines().find_map(|line| line.find("--> ")).unwrap_or_default();
    let mut is_case = true;
    let mut numbers = Vec::new();
    for line in lines() {
        // A suggestion without a place belongs to the case.
        let is_suggestion = line.starts_with("help: ");
        is_case =
            place(line).map_or(is_case || is_suggestion, |place| place.starts_with("tests/ui/"));
        numbers.push(number(line).filter(|_| is_case).unwrap_or_default());
    }
    let width = numbers.iter().map(|number| number.len()).max().unwrap_or_default().max(1);
    let mut steady = String::new();
    for (line, own) in lines().zip(numbers) {
        match (place(line), number(line)) {
            (_, Some(_)) => steady += &format!("{own:>width$}{}", &line[margin..]),
            (Some(place), _) if !place.starts_with("tests/ui/") => {
                let file = place.split(':').next().unwrap_or_default();
                let arrow = &line[margin..line.len() - place.len()];
                steady += &format!("{:width$}{arrow}{file}", "");
            }
            _ => {
                let blank = line.len() - line.trim_start_matches(' ').len();
                let line = &line[(margin - width).min(blank)..];
                match line.trim_start().strip_prefix("and ") {
                    Some(rest) if rest.ends_with(" others") => {
                        steady += line.trim_end_matches(rest);
                        steady += "$N others";
                    }
                    _ => steady += line,
                }
            }
        }
        steady.truncate(steady.trim_end_matches(' ').len());
        steady.push('\n');
    }
    steady
}

/// Returns the file, line and column of a line that names them.
fn place(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("--> ").or(line.strip_prefix("::: "))
}

/// Returns the number of a line of code.
fn number(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (number, rest) = line.split_at(line.find(' ')?);
    let is_code = [" |", " -", " +", " ~"].iter().any(|sign| rest.starts_with(sign));
    (is_code && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}
