//! Servers of others, fetched by their package managers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use crate::process::Program;

/// The scripts by which peers speak the [protocol](crate::protocol).
const SCRIPTS: [(&str, &str); 3] = [
    ("protocol.mjs", include_str!("../peers/protocol.mjs")),
    ("bun.mjs", include_str!("../peers/bun.mjs")),
    ("ws.mjs", include_str!("../peers/ws.mjs")),
];

/// Name, npm package, program below the folder (or on the `PATH`), script.
const PEERS: [(&str, &str, &str, &str); 2] = [
    ("bun", "bun@1.4.5", "node_modules/.bin/bun", "bun.mjs"),
    ("node-ws", "ws@8.23.0", "node", "ws.mjs"),
];

/// Installs the peers into a folder, and returns those that can be had; of
/// each other, a line says why not.
///
/// # Errors
///
/// The folder can't be written to.
pub fn fetch(folder: &Path) -> io::Result<Vec<Program>> {
    fs::create_dir_all(folder)?;
    for (name, script) in SCRIPTS {
        fs::write(folder.join(name), script)?;
    }
    let mut programs = Vec::new();
    for (name, package, program, script) in PEERS {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]);
        npm.arg(folder).arg(package).stdin(Stdio::null());
        match npm.status() {
            Ok(status) if status.success() => {}
            Ok(status) => {
                eprintln!("{name} is left out: npm can't install {package} ({status})");
                continue;
            }
            Err(error) => {
                eprintln!("{name} is left out: npm can't be started ({error})");
                continue;
            }
        }
        // A program that npm didn't install is looked for on the PATH.
        let installed = folder.join(program);
        let program = if installed.exists() { installed.into() } else { program.into() };
        let command = vec![program, folder.join(script).into()];
        programs.push(Program { name: name.to_owned(), command });
    }
    Ok(programs)
}
