//! Generates the declarations of servers with many paths: signals are declared
//! one by one, and nobody wants to read a thousand of them.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// As many as the workload with the most paths has.
const PATHS: usize = 1_000;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var_os("OUT_DIR").expect("cargo gives build scripts a folder");
    for (file, options) in
        [("many_paths.rs", ""), ("many_paths_kept.rs", " { history_messages: 1_000 }")]
    {
        fs::write(Path::new(&folder).join(file), declaration(options))
            .expect("cargo's folder for build scripts can be written to");
    }
}

fn declaration(options: &str) -> String {
    let mut signals = String::new();
    let mut names = String::new();
    for path in 0..PATHS {
        let _ = writeln!(signals, "    signal PATH_{path}: String = \"/{path}\"{options};");
        let _ = write!(names, "PATH_{path}, ");
    }
    format!(
        "pode_server! {{\n    /// Sends on many paths.\n    pub(super) server many_paths;\n    \
         endpoint ws \"127.0.0.1:0\";\n{signals}}}\n\n\
         /// The declared paths, by index.\n\
         pub(super) const PATHS: [SignalPath<String>; {PATHS}] = [{names}];\n"
    )
}
