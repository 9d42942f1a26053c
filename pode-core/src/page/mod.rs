//! Pages: what views, public pages and scripts request from a server.
//!
//! Pages are read as a browser reads them, as far as that is possible without
//! running them: attributes with addresses, and calls of `fetch`, `WebSocket`
//! and `EventSource` with literal addresses. Parts that only the running page
//! knows are marked as unknown, and the check accepts any text for them.
//! Nothing here knows what a server has; that is the check's part.
//!
//! `html` reads pages, `template` their includes, `variables` what they are given,
//! `script/` their code.

mod html;
mod script;
mod template;
#[cfg(feature = "views")]
mod variables;

pub use html::{attribute_scripts, requests as requests_of_page};
pub use script::requests as requests_of_script;
pub use template::{Include, includes};
#[cfg(feature = "views")]
pub use variables::{Judged, Missing, Templates};

use crate::method::Method;

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
}

/// The protocol and method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// HTTP with this method.
    By(Method),
    /// HTTP with a method that only the running page knows.
    ByAny,
    /// WebSocket.
    BySocket,
}

/// A request of a page.
impl Request {
    fn new(line: usize, asks: Asks, address: impl Into<String>) -> Request {
        Request { line, asks, address: address.into() }
    }

    /// Returns the address as a message shows it.
    pub fn shown(&self) -> String {
        self.address.replace([UNKNOWN, HOST, HOSTNAME], "…")
    }
}

/// Knows where lines begin.
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
        let lines = Lines::of("a\nb\n\nc");
        assert_eq!([0, 1, 2, 4, 5].map(|byte| lines.at(byte)), [1, 1, 2, 3, 4]);
    }

    #[test]
    fn a_comment_silences_its_line_and_the_next() {
        let text = "a\n<!-- pode: external -->\nb\nc";
        let silent: Vec<usize> = (1..=4).filter(|line| is_external(text, *line)).collect();
        assert_eq!(silent, [2, 3]);
    }
}
