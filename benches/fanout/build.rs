//! Generates the declaration of a server with many paths: signals are declared
//! one by one, and nobody wants to read a thousand of them.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// As many as the workload with the most paths has.
const PATHS: usize = 1_000;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut signals = String::new();
    let mut names = String::new();
    for path in 0..PATHS {
        let _ = writeln!(signals, "    signal PATH_{path}: String = \"/{path}\";");
        let _ = write!(names, "PATH_{path}, ");
    }
    let declaration = format!(
        "pode_server! {{\n    /// Sends on many paths.\n    pub(super) server many_paths;\n    \
         endpoint ws \"127.0.0.1:0\";\n{signals}}}\n\n\
         /// The declared paths, by index.\n\
         pub(super) const PATHS: [SignalPath<String>; {PATHS}] = [{names}];\n"
    );
    let folder = env::var_os("OUT_DIR").expect("cargo gives build scripts a folder");
    fs::write(Path::new(&folder).join("many_paths.rs"), declaration)
        .expect("cargo's folder for build scripts can be written to");
}
