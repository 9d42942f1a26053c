//! Third-party servers, fetched by their package managers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, io};

use crate::process::Program;

/// The scripts by which peers speak the [protocol](crate::protocol).
const SCRIPTS: [(&str, &str); 4] = [
    ("protocol.mjs", include_str!("../peers/protocol.mjs")),
    ("bun.mjs", include_str!("../peers/bun.mjs")),
    ("ws.mjs", include_str!("../peers/ws.mjs")),
    ("socket-io.mjs", include_str!("../peers/socket-io.mjs")),
];

/// Name, npm package, program below the folder (or on the `PATH`), script.
const PEERS: [(&str, &str, &str, &str); 3] = [
    ("bun", "bun@1.4.5", "node_modules/.bin/bun", "bun.mjs"),
    ("node-ws", "ws@8.23.0", "node", "ws.mjs"),
    ("socket-io", "socket.io@4.8.4", "node", "socket-io.mjs"),
];

/// The Debian packages of nginx and Nchan.
const NGINX_PACKAGES: [&str; 2] = ["nginx", "libnginx-mod-nchan"];

/// The files of these packages that are needed.
const NGINX_FILES: [&str; 2] = ["usr/sbin/nginx", "usr/lib/nginx/modules/ngx_nchan_module.so"];

/// Installs the peers into a folder, and returns those that were installed;
/// prints for each other peer why not.
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
        // A program that npm didn't install is searched on the PATH.
        let installed = folder.join(program);
        let program = if installed.exists() { installed.into() } else { program.into() };
        let command = vec![program, folder.join(script).into()];
        programs.push(Program { name: name.to_owned(), command });
    }
    match unpack_nginx(&folder.join("nginx")) {
        Ok(()) => {
            for (name, command) in
                [("nginx-nchan", "nginx"), ("nginx-nchan-history", "nginx-history")]
            {
                let command =
                    vec![env::current_exe()?.into(), command.into(), folder.join("nginx").into()];
                programs.push(Program { name: name.to_owned(), command });
            }
        }
        Err(error) => {
            eprintln!(
                "nginx-nchan is left out: {error} (it needs Debian's packages {}, as they are \
                 found after `apt-get update`, and a user who may make namespaces of mounts)",
                NGINX_PACKAGES.join(" and ")
            );
        }
    }
    Ok(programs)
}

/// Unpacks nginx and Nchan without installing them, unless an earlier run did.
fn unpack_nginx(folder: &Path) -> io::Result<()> {
    let unpacked = NGINX_FILES.iter().all(|file| folder.join(file).exists());
    if !unpacked {
        fs::create_dir_all(folder)?;
        let mut download = Command::new("apt-get");
        // A private folder needn't be accessible to apt's own user.
        download.args(["-qq", "-o", "APT::Sandbox::User=root", "download"]).args(NGINX_PACKAGES);
        succeed(download.current_dir(folder))?;
        for entry in fs::read_dir(folder)? {
            let package = entry?.path();
            if package.extension().is_some_and(|extension| extension == "deb") {
                succeed(Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
            }
        }
    }
    // It needs libraries that every Debian system has, and mount namespaces.
    succeed(Command::new(folder.join(NGINX_FILES[0])).args(["-v"]).stderr(Stdio::null()))?;
    succeed(Command::new("unshare").args(["--mount", "--map-root-user", "true"]))
}

/// Runs a command that must succeed.
fn succeed(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status.map_err(|error| io::Error::other(format!("{program}: {error}")))? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("{program}: {status}"))),
    }
}
