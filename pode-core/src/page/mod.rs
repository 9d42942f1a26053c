//! Pages: what views, public pages and scripts request from a server.
//!
//! Pages are read as a browser reads them, as far as that is possible without
//! running them: attributes with addresses, calls of `fetch`, `WebSocket`,
//! `EventSource`, `XMLHttpRequest` and the client module's `signal` with literal
//! addresses, imports, and `url(…)` in styles. Parts that only the running page
//! knows are marked as unknown, and the check accepts any text for them.
//! Nothing here knows what a server has; that is the check's part.
//!
//! `html` reads pages, `template` their includes, `tree` their statements, `names` the
//! names in these, `variables` what they are given, `values/` where that is written,
//! `words` what they call, `position` calls of that function, `script/` their code,
//! `style` their styles.

mod html;
#[cfg(feature = "views")]
mod names;
#[cfg(feature = "views")]
mod position;
mod script;
mod style;
mod template;
#[cfg(feature = "views")]
mod tree;
#[cfg(feature = "views")]
mod values;
#[cfg(feature = "views")]
mod variables;
#[cfg(feature = "views")]
mod words;

pub use html::Html;
#[cfg(feature = "views")]
pub use position::{PositionCall, positions};
pub use script::requests as requests_of_script;
pub use style::requests as requests_of_style;
pub use template::{Include, includes};
#[cfg(feature = "views")]
pub use values::{Spot, Unsafe, Values};
#[cfg(feature = "views")]
pub use variables::{Judged, Missing, Templates};
#[cfg(feature = "views")]
pub use words::{Hidden, Unknown, Word, Words, hidden, known};

use crate::method::Method;

/// Where pages import the client module, whose `signal` connects them.
pub const CLIENT_MODULE: &str = "/_pode/pode.js";

/// Replaces text in an address that only the running page knows; the text may
/// be empty.
pub const UNKNOWN: char = '\u{fffc}';

/// Replaces the host and the port of the page in an address.
pub const HOST: char = '\u{e000}';

/// Replaces the host of the page, without the port, in an address.
pub const HOSTNAME: char = '\u{e001}';

/// A request of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// The kind of request.
    pub asks: Asks,
    /// The address as written, with [`UNKNOWN`], [`HOST`] and [`HOSTNAME`] for
    /// parts that aren't literal; empty for the page itself.
    pub address: String,
    /// The type of its body.
    pub sends: Sends,
    /// What makes it.
    pub by: By,
}

/// The type of a request's body, as far as the page says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sends {
    /// None, or one that only the running page knows.
    #[default]
    Unknown,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `multipart/form-data`
    Parts,
    /// `application/json`
    Json,
    /// `text/plain`
    Text,
}

/// What makes a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A `<form>`, which a script may send in another way.
    Form,
    /// `new EventSource`.
    EventSource,
    /// An `import` of a module, relative to the script.
    Import,
    /// Anything else.
    #[default]
    Other,
}

/// The protocol and method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// HTTP with this method.
    By(Method),
    /// HTTP with a method that only the running page knows.
    ByAny,
    /// HTTP with this method, which browsers don't send as it is written: forms
    /// know GET and POST alone (HTML, section 4.10.18.6), and `fetch` makes only
    /// some methods upper case (Fetch, section 2.2.1).
    InVain(Method),
    /// WebSocket.
    BySocket,
}

impl Request {
    fn new(line: usize, asks: Asks, address: impl Into<String>) -> Request {
        let (sends, by) = Default::default();
        Request { line, asks, address: address.into(), sends, by }
    }

    /// Returns the address as a message shows it.
    pub fn shown(&self) -> String {
        self.address.replace([UNKNOWN, HOST, HOSTNAME], "…")
    }
}

/// Returns the line of a byte, counted from 1.
fn line_at(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|it| *it == b'\n').count() + 1
}

/// Knows where lines begin, for texts where many are asked for.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Lines {
        let breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        Lines { starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// Returns the line of a byte, counted from 1.
    fn at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }
}

/// Tells whether a comment on a line, or on the one above it, says that the
/// address belongs to another server: `pode: external`.
pub fn is_external(text: &str, line: usize) -> bool {
    let above = line.saturating_sub(2);
    text.lines().skip(above).take(line - above).any(|line| line.contains("pode: external"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let text = "a\nb\n\nc";
        let lines = Lines::of(text);
        assert_eq!([0, 1, 2, 4, 5].map(|byte| lines.at(byte)), [1, 1, 2, 3, 4]);
        assert_eq!([0, 1, 2, 4, 5].map(|byte| line_at(text, byte)), [1, 1, 2, 3, 4]);
    }

    #[test]
    fn a_comment_silences_its_line_and_the_next() {
        let text = "a\n<!-- pode: external -->\nb\nc";
        let silent: Vec<usize> = (1..=4).filter(|line| is_external(text, *line)).collect();
        assert_eq!(silent, [2, 3]);
    }
}
