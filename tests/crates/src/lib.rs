//! Crates that depend on pode, as users have them: tests make and build them.
//!
//! All of them are built in one target folder and with the same settings, so
//! their dependencies are compiled once, with exactly the features that pode
//! requires.

#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the folder of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Returns the target folder of these crates.
pub fn target() -> PathBuf {
    let this_test = std::env::current_exe().unwrap();
    let target = this_test.ancestors().nth(3).expect("a test is in target/PROFILE/deps");
    target.join("tmp/crates")
}

/// Makes a folder for a crate of that name, outside this workspace. It has a
/// lock file, so its dependencies have the versions of this workspace.
pub fn folder(name: &str) -> PathBuf {
    // The same path each time, or cargo would treat it as another crate.
    let of_repository = repository().to_string_lossy().replace(['/', '\\', ':'], "-");
    let folder = std::env::temp_dir().join(format!("pode{of_repository}-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

/// Returns the manifest of a crate that depends on serde and on pode with all
/// features.
pub fn manifest(name: &str) -> String {
    manifest_with(name, r#"features = ["pfx", "redis"]"#)
}

/// Returns the manifest of a crate that depends on serde and on pode without
/// any feature.
pub fn lean_manifest(name: &str) -> String {
    manifest_with(name, "default-features = false")
}

fn manifest_with(name: &str, features: &str) -> String {
    format!(
        r#"
        [package]
        name = "{name}"
        version = "0.1.0"
        edition = "2024"

        [dependencies]
        pode = {{ path = {:?}, {features} }}
        serde = {{ version = "1", features = ["derive"] }}

        # It is a workspace of its own, wherever it lies.
        [workspace]
        "#,
        repository()
    )
}

/// Returns a cargo that builds in a folder.
pub fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(folder)
        .args(arguments)
        .env("CARGO_TARGET_DIR", target())
        // Nobody debugs them.
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    cargo
}

/// Runs a command, and returns its standard output, or its error output if it
/// fails.
pub fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let said = if output.status.success() { output.stdout } else { output.stderr };
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// The libraries to compile a crate with that depends on pode and serde.
#[derive(Debug)]
pub struct Libraries {
    pode: PathBuf,
    serde: PathBuf,
}

impl Libraries {
    /// Builds them, unless they are already built. This pode has all features.
    pub fn built() -> &'static Libraries {
        static BUILT: OnceLock<Libraries> = OnceLock::new();
        BUILT.get_or_init(|| Libraries::build("libraries", manifest))
    }

    /// Builds them, unless they are already built. This pode has no features.
    pub fn lean() -> &'static Libraries {
        static BUILT: OnceLock<Libraries> = OnceLock::new();
        BUILT.get_or_init(|| Libraries::build("lean-libraries", lean_manifest))
    }

    fn build(name: &str, manifest: fn(&str) -> String) -> Libraries {
        let folder = folder(name);
        fs::write(folder.join("Cargo.toml"), manifest(name)).unwrap();
        fs::write(folder.join("src/lib.rs"), "").unwrap();
        let arguments = ["build", "--message-format=json-render-diagnostics"];
        let said = output(&mut cargo(&folder, &arguments)).unwrap_or_else(|said| panic!("{said}"));
        fs::remove_dir_all(folder).unwrap();
        let messages: Vec<Value> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let file = |name: &str| {
            let artifact = messages.iter().find(|message| message["target"]["name"] == name);
            let files = artifact.unwrap()["filenames"].as_array().unwrap();
            let mut files = files.iter().map(|file| Path::new(file.as_str().unwrap()));
            files.find(|file| file.extension().is_some_and(|end| end == "rlib")).unwrap().into()
        };
        Libraries { pode: file("pode"), serde: file("serde") }
    }

    /// Returns a rustc that checks a crate, as cargo would in that folder.
    /// `out` is the folder for its output.
    pub fn rustc(&self, folder: &Path, out: &Path) -> Command {
        let dependencies = self.pode.parent().unwrap();
        let name = format!("rustc{}", std::env::consts::EXE_SUFFIX);
        let mut rustc = Command::new(Path::new(env!("CARGO")).with_file_name(name));
        rustc
            .env("CARGO_MANIFEST_DIR", folder)
            .args(["--edition=2024", "--emit=metadata", "--out-dir"])
            .arg(out)
            .arg("-L")
            .arg(format!("dependency={}", dependencies.display()));
        for (name, file) in [("pode", &self.pode), ("serde", &self.serde)] {
            rustc.arg("--extern").arg(format!("{name}={}", file.display()));
        }
        rustc
    }
}
