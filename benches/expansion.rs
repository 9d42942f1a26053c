//! Whether the time to build a server grows linearly with its routes.
//!
//! Builds three crates that differ only in the number of their routes over and
//! over, in turn. Compares the time that two hundred routes take beyond none with
//! the time that one hundred take; a factor of two means linear growth.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

mod measure;

/// The number of routes of each crate, besides one without which its endpoint
/// would serve nothing, which is a compile error.
const COUNTS: [usize; 3] = [0, 100, 200];
/// A check is short, so its figures are small compared with the noise, and it
/// has more rounds.
const COMMANDS: [(&str, usize); 2] = [("check", 41), ("build", 9)];

/// The source that all crates have in common.
const BASE: &str = "\
#![allow(dead_code)] // without routes

use pode::prelude::*;

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

#[derive(Deserialize)]
struct Page {
    from: Option<u64>,
}

fn main() -> pode::Result {
    house().run_blocking()
}
";

/// Ten routes of every kind; `@` is replaced by their number.
const TEN_ROUTES: &str = r#"
    route GET    "/@"                  => async |_: WebEvent| text("@");
    route GET    "/@/search"           (query: Page) => async |_: WebEvent, page: Page| text(format!("{:?}", page.from));
    route GET    "/@/notes/:id"        (id: u64) => show_@;
    route PUT    "/@/notes/:id"        (id: u64, json: Note) => async |_: WebEvent, id: u64, note: Note| json(&(id, note));
    route DELETE "/@/notes/:id/:part"  (id: u64, part: String) => remove_@;
    route POST   "/@/forms"            (form: Note) => post_@;
    route POST   "/@/json"             (json: Note) => take_@;
    route POST   "/@/echo"             (body: String) => echo_@;
    route GET    "/@/files/*rest"      (rest: String, query: Page) => async |event: WebEvent, rest, page: Page| {
        text(format!("{rest} {:?} {}", page.from, event.path()))
    };
    route GET    "/@/old/:id"          => redirect "/@/notes/:id";
"#;

/// The handlers of these routes.
const THEIR_HANDLERS: &str = r#"
async fn show_@(_: WebEvent, id: u64) -> impl Reply {
    text(format!("note {id}"))
}

async fn remove_@(_: WebEvent, id: u64, part: String) -> Result<impl Reply, EventError> {
    if id == @ {
        return Err(EventError::new(404, part));
    }
    Ok(text(part))
}

async fn post_@(_: WebEvent, note: Note) -> impl Reply {
    json(&note).with_status(201)
}

async fn take_@(_: WebEvent, note: Note) -> Result<(), EventError> {
    if note.text.is_empty() {
        return Err(EventError::new(400, "there is no text"));
    }
    Ok(())
}

async fn echo_@(_: WebEvent, body: String) -> impl Reply {
    text(body)
}
"#;

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expansion");
    let crates = COUNTS.map(|count| Crate::make(&folder, count));
    for (command, rounds) in COMMANDS {
        let rounds = if measure::is_measuring() { rounds } else { 1 };
        // The first run builds the dependencies.
        for krate in &crates {
            krate.run(command);
        }
        let measured: Vec<[f64; 3]> = (0..rounds)
            .map(|round| {
                let mut times = [0.0; 3];
                for turn in 0..crates.len() {
                    let which = (round + turn) % crates.len();
                    times[which] = crates[which].measure(command).as_secs_f64();
                }
                times
            })
            .collect();
        for (which, count) in COUNTS.iter().enumerate() {
            let title = format!("cargo {command}, {count} routes");
            measure::tell(&title, "s", measured.iter().map(|times| times[which]));
        }
        let ratio = |[none, some, twice]: &[f64; 3]| (twice - none) / (some - none);
        measure::tell(&format!("cargo {command}, growth"), "", measured.iter().map(ratio));
    }
}

/// A generated crate.
struct Crate {
    name: String,
    folder: PathBuf,
    source: String,
}

impl Crate {
    /// Writes a crate with this number of routes to its own folder.
    fn make(folder: &Path, routes: usize) -> Crate {
        let name = format!("routes_{routes}");
        let folder = folder.join(&name);
        fs::create_dir_all(folder.join("src")).expect("the folder can be made");
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the benchmarks have a folder in the workspace");
        let manifest = format!(
            "package = {{ name = {name:?}, edition = \"2024\" }}\n\
             dependencies = {{ pode.path = {workspace:?}, serde = \"1\" }}\n\
             workspace = {{}}\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest).expect("the manifest can be written");
        // The same versions as here, which are already downloaded.
        fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock"))
            .expect("the lock file can be copied");
        Crate { name, folder, source: source(routes) }
    }

    /// Measures a build of this crate alone.
    fn measure(&self, command: &str) -> Duration {
        let before = measure::time_of_children();
        self.run(command);
        measure::time_of_children() - before
    }

    fn run(&self, command: &str) {
        // A newly written file makes cargo build it again.
        fs::write(self.folder.join("src/main.rs"), &self.source).expect("it can be written");
        let output = Command::new(env!("CARGO"))
            .current_dir(&self.folder)
            // Reuses nothing of the previous build, which had the same source.
            .env("CARGO_INCREMENTAL", "0")
            .arg(command)
            .arg("--target-dir")
            .arg(self.folder.with_file_name("target"))
            .output()
            .expect("cargo can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {command} fails for {}:\n{said}", self.name);
        assert!(!said.contains("warning"), "{said}");
    }
}

fn source(routes: usize) -> String {
    let repeat = |ten: &str| -> String {
        (0..routes / 10).map(|number| ten.replace('@', &number.to_string())).collect()
    };
    let (routes, handlers) = (repeat(TEN_ROUTES), repeat(THEIR_HANDLERS));
    format!(
        "{BASE}
pode_server! {{
    server house;
    endpoint http 0;
    route GET \"/\" => async |_: WebEvent| text(\"home\");
{routes}}}
{handlers}"
    )
}
