//! Socket.IO by its two adapters for Redis, fetched by npm.

use std::process::{Command, Stdio};
use std::{env, fs, io};

use crate::processes::Program;

const SCRIPT: (&str, &str) = ("socket-io.mjs", include_str!("../peers/socket-io.mjs"));

const PACKAGES: [&str; 4] = [
    "socket.io@4.8.4",
    "redis@6.3.1",
    "@socket.io/redis-adapter@8.3.0",
    "@socket.io/redis-streams-adapter@0.3.1",
];

/// Installs them beside this program, never into the system.
pub(crate) fn fetch() -> io::Result<Vec<Program>> {
    let program = env::current_exe()?;
    let folder = program.with_file_name("backplane-peers");
    fs::create_dir_all(&folder)?;
    let script = folder.join(SCRIPT.0);
    fs::write(&script, SCRIPT.1)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(&folder);
    let status = npm.args(PACKAGES).stdin(Stdio::null()).status()?;
    if !status.success() {
        return Err(io::Error::other(format!(
            "npm can't install {} ({status})",
            PACKAGES.join(", ")
        )));
    }
    Ok(["socket-io", "socket-io-streams"].map(|name| Program::script(name, &script)).into())
}
