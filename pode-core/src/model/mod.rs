//! The model of a server: every declaration, with its values parsed.
//!
//! The macro resolves the source into this model, the checks validate it as a
//! whole, and the expansion is made from it. Each value in the model is well
//! formed; [`check`](crate::check) finds out whether the declarations fit
//! together.

mod backplane;
mod endpoint;
mod mount;
mod on;
mod operations;
mod public;
mod route;
mod schedule;
mod signal;
mod state;
mod timer;
mod upstream;
mod views;

pub use backplane::Backplane;
pub use endpoint::{Certificate, CertificateFile, CertificateFileKind, Endpoint, Listed};
pub use mount::Mount;
pub use on::{ConnectionEvent, On};
pub use operations::Operations;
pub use public::Public;
pub use route::{Action, Argument, Integer, Route, Source};
pub use schedule::Schedule;
pub use signal::{HistoryNeed, Level, Receiver, Signal};
pub use state::State;
pub use timer::Timer;
pub use upstream::Upstream;
pub use views::Views;

/// All declarations of one `pode_server!`, each noun in its order of
/// declaration.
#[derive(Debug, Default)]
pub struct Server {
    /// Where the server listens.
    pub endpoints: Vec<Endpoint>,
    /// What carries messages to other nodes; a second one is a mistake.
    pub backplanes: Vec<Backplane>,
    /// Where it is told how the server is; a second one is a mistake.
    pub operations: Vec<Operations>,
    /// The folder of templates; a second one is a mistake.
    pub views: Vec<Views>,
    /// Folders of static files.
    pub publics: Vec<Public>,
    /// Filters that answer under a prefix.
    pub mounts: Vec<Mount>,
    /// Routes, which answer requests.
    pub routes: Vec<Route>,
    /// Signals, to which clients listen.
    pub signals: Vec<Signal>,
    /// Handlers for clients that connect or disconnect.
    pub ons: Vec<On>,
    /// Values that handlers share.
    pub states: Vec<State>,
    /// Handlers that run at intervals.
    pub timers: Vec<Timer>,
    /// Handlers that run at times of the day and the year.
    pub schedules: Vec<Schedule>,
    /// Connections to other servers.
    pub upstreams: Vec<Upstream>,
    /// Whether the user declares a Content-Security-Policy for pages.
    pub own_policy: bool,
    /// Whether an endpoint trusts proxies, which may speak another protocol with
    /// browsers.
    pub behind_proxies: bool,
    /// Whether the server hands over to another process.
    pub hands_over: bool,
    /// Whether a declaration is missing here because it was not understood. It
    /// may contain whatever seems to be lacking.
    pub incomplete: bool,
}

impl Server {
    /// Whether all messages have numbers, whatever their signals keep.
    pub fn numbers_all(&self) -> bool {
        self.hands_over || !self.backplanes.is_empty()
    }
}

/// A place in the user's source; only the macro knows what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(pub usize);

/// A word or a text from the source, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The word itself; of a literal, the text between the quotes.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// The parts that every declaration has.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which of the written declarations this is, counted from 0.
    pub index: usize,
    /// Where the noun stands.
    pub noun: Place,
    /// The text of its `#[cfg]` attributes, if it has any.
    pub cfg: Option<String>,
}

impl Head {
    /// Tells whether both declarations are certain to exist at once, so that
    /// they may be checked against each other.
    pub fn meets(&self, other: &Head) -> bool {
        self.cfg == other.cfg
    }
}

/// A folder of the user's, as found while compiling.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The path as written, relative to the crate.
    pub path: Name,
    /// The files below it, sorted by path; `None` if there is no such folder.
    pub files: Option<Vec<File>>,
    /// What else is below it, so that nobody is told to make it.
    pub unfit: Vec<Unfit>,
    /// The neighbouring folders, for suggestions.
    pub siblings: Vec<String>,
    /// Whether the path leads to a file.
    pub is_file: bool,
}

/// A file of the user's, as found while compiling.
#[derive(Clone, Debug)]
pub struct File {
    /// The path below its folder, with `/` between folders.
    pub path: String,
    /// The text of a page, a script, a style or a template, without byte order
    /// marks; `None` for other files, and for text that can't be read.
    pub text: Option<String>,
}

/// What is in a folder and isn't one of its files, or can't be read as text.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// The path below its folder.
    pub path: String,
    /// What it is.
    pub why: Why,
}

/// Why there is no file, or no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A symbolic link.
    Link,
    /// Its name begins with a dot.
    Hidden,
    /// A folder.
    Folder,
    /// A pipe, a socket or a device.
    Special,
    /// A file in another encoding than UTF-8.
    NotText,
    /// A file that the system doesn't let anyone read, and what it says.
    Unreadable(String),
}

impl Folder {
    /// Returns the files below it; none if there is no such folder.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().flatten()
    }

    /// Returns the file at this path below it.
    pub fn file(&self, path: &str) -> Option<&File> {
        let files = self.files.as_deref()?;
        let index = files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        Some(&files[index])
    }

    /// Returns what is at this path, or above it, and isn't a file with a text.
    pub fn unfit(&self, path: &str) -> Option<&Unfit> {
        self.unfit.iter().find(|Unfit { path: other, why }| {
            let hides_all_below = matches!(why, Why::Link | Why::Hidden);
            let rest = path.strip_prefix(other.as_str());
            rest.is_some_and(|rest| rest.is_empty() || hides_all_below && rest.starts_with('/'))
        })
    }

    /// Returns the path of a file of it as users know it, relative to the
    /// crate.
    pub fn path_of(&self, file: &File) -> String {
        format!("{}/{}", self.path.text.trim_end_matches('/'), file.path)
    }
}
