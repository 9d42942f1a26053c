//! What makes cargo recompile a server: the files that the macro has read,
//! except for those with a private key, which are in no build product either.
//!
//! Cargo compares times: it recompiles for a file that was changed after the
//! last build began. The tests set those times, so no clock is too coarse.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pode_test_crates::{cargo, folder, manifest, output, repository, target};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// A text of the page, which is embedded in release builds.
const PAGE: &str = "<p>This page is part of the program.</p>";

const PROGRAM: &str = r#"
use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certificate: pem("chain.pem", "key.pem") };
    endpoint https "127.0.0.1:9443" { certificate: pfx("server.pfx", password_from_env("PASSWORD")) };
    views "views";
    public "/static" "public";
    route GET "/" => view "page";
    route GET "/own" => async |_| Own;
}

#[derive(Serialize, View)]
#[view("own", folder = "pages")]
struct Own;

fn main() -> Result<(), pode::Error> {
    example().run_blocking()
}
"#;

/// Which file leads to a new compilation in which builds.
const FILES: [(&str, When); 11] = [
    ("views/page.html", When::Always),
    ("views/parts/part.html", When::Always),
    ("pages/own.html", When::Always),
    ("pages/part.html", When::Always),
    ("pages/other.html", When::Never),
    ("public/about.html", When::Always),
    ("public/style.css", When::Always),
    // On disk while developing, and not read by the macro.
    ("public/icon.svg", When::InRelease),
    ("chain.pem", When::Always),
    // These hold a private key.
    ("key.pem", When::Never),
    ("server.pfx", When::Never),
];

#[derive(PartialEq)]
enum When {
    Always,
    InRelease,
    Never,
}

#[test]
fn files_that_the_macro_looks_at_lead_to_a_new_build() {
    let made = Made::new();
    for release in [false, true] {
        made.builds_anew(release);
        for (file, when) in FILES {
            assert!(!made.builds_anew(release), "nothing has changed before {file}");
            made.date(file, SystemTime::now() + Duration::from_secs(3600));
            let anew = made.builds_anew(release);
            made.date(file, long_ago());
            let expected = when == When::Always || release && when == When::InRelease;
            assert_eq!(anew, expected, "{file}, release: {release}");
        }
    }

    // A build while developing misses a removed view.
    fs::remove_file(made.folder.join("views/page.html")).unwrap();
    let said = made.build(false).unwrap_err();
    assert!(said.contains("there is no view `page` in `views`"), "{said}");

    let products = made.products();
    let key = fs::read_to_string(made.folder.join("key.pem")).unwrap();
    let written = key.lines().nth(1).unwrap().as_bytes();
    let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).unwrap();
    // The part that differs from other keys of its kind.
    let secret = &key.secret_pkcs8_der()[36..68];
    let bundle = &fs::read(made.folder.join("server.pfx")).unwrap()[64..128];
    for (what, secret) in [("the text", written), ("the number", secret), ("the bundle", bundle)] {
        let holding: Vec<_> = products.iter().filter(|file| holds(file, secret)).collect();
        assert!(holding.is_empty(), "{what} of a private key is in {holding:?}");
    }
    // The search would find them.
    let program = target().join("debug").join(format!("rebuilt{}", std::env::consts::EXE_SUFFIX));
    let holding: Vec<_> = products.iter().filter(|file| holds(file, PAGE.as_bytes())).collect();
    assert!(holding.contains(&&program), "the page is only in {holding:?}");
}

/// A crate of its own.
struct Made {
    folder: PathBuf,
}

impl Made {
    fn new() -> Made {
        let made = Made { folder: folder("rebuilt") };
        let certificates = repository().join("tests/behavior/certificates");
        for below in ["views/parts", "pages", "public"] {
            fs::create_dir_all(made.folder.join(below)).unwrap();
        }
        let write = |file: &str, text: &str| fs::write(made.folder.join(file), text).unwrap();
        write("Cargo.toml", &manifest("rebuilt"));
        write("src/main.rs", PROGRAM);
        write("views/page.html", PAGE);
        write("views/parts/part.html", "<p>part</p>");
        write("pages/own.html", "{% include 'part.html' %}");
        write("pages/part.html", "<p>part</p>");
        write("pages/other.html", "<p>other</p>");
        write("public/about.html", "<p>about</p>");
        write("public/style.css", "p { color: green }");
        write("public/icon.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
        let copy = |from: &Path, file: &str| {
            fs::copy(from, made.folder.join(file)).unwrap();
        };
        copy(&certificates.join("chain.pem"), "chain.pem");
        copy(&certificates.join("key.pem"), "key.pem");
        copy(&certificates.join("modern.pfx"), "server.pfx");
        for (file, _) in FILES {
            made.date(file, long_ago());
        }
        made
    }

    /// Sets when a file was last changed.
    fn date(&self, file: &str, time: SystemTime) {
        let file = File::options().append(true).open(self.folder.join(file)).unwrap();
        file.set_modified(time).unwrap();
    }

    /// Builds, and tells whether that compiled the crate.
    #[track_caller]
    fn builds_anew(&self, release: bool) -> bool {
        let said = self.build(release).unwrap_or_else(|said| panic!("no build: {said}"));
        let mut messages =
            said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let crate_itself = messages.find(|message| {
            message["reason"] == "compiler-artifact" && message["target"]["name"] == "rebuilt"
        });
        !crate_itself.expect("cargo tells of it")["fresh"].as_bool().unwrap()
    }

    /// Returns cargo's messages, or its error output on failure. A release
    /// build differs in that assertions are off.
    fn build(&self, release: bool) -> Result<String, String> {
        let without_assertions = "profile.dev.package.rebuilt.debug-assertions=false";
        let arguments =
            ["build", "--message-format=json-render-diagnostics", "--config", without_assertions];
        let count = if release { arguments.len() } else { 2 };
        output(&mut cargo(&self.folder, &arguments[..count]))
    }

    /// Returns every build product of the crate.
    fn products(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![(target().join("debug"), false)];
        while let Some((folder, is_of_crate)) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name();
                let is_of_crate = is_of_crate || name.to_string_lossy().starts_with("rebuilt");
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push((entry.path(), is_of_crate)),
                    false if is_of_crate => files.push(entry.path()),
                    false => {}
                }
            }
        }
        files
    }
}

/// Earlier than any build.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

/// Tells whether the file contains the bytes.
///
/// Compares the last byte at each position and skips as far as that allows
/// (Horspool), since there is much to search.
fn holds(file: &Path, bytes: &[u8]) -> bool {
    let content = fs::read(file).unwrap();
    let last = bytes.len() - 1;
    let mut steps = [bytes.len(); 256];
    for (place, byte) in bytes[..last].iter().enumerate() {
        steps[usize::from(*byte)] = last - place;
    }
    let mut place = 0;
    while let Some(there) = content.get(place..=place + last) {
        if there == bytes {
            return true;
        }
        place += steps[usize::from(there[last])];
    }
    false
}
