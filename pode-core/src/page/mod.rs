//! Pages: what views, public pages and scripts ask a server for.
//!
//! Pages are read as a browser reads them, as far as that goes without running
//! them: the attributes that lead somewhere, and the calls of `fetch`,
//! `WebSocket` and `EventSource` whose addresses are written out. What only the
//! running page knows is marked as unknown, and whoever judges lets it be
//! anything. Nothing here knows what a server has; that is the check's part.

mod html;
mod script;
mod template;

pub use html::{attribute_scripts, requests as requests_of_page};
pub use script::requests as requests_of_script;
pub use template::{Include, includes};

use crate::method::Method;

/// Stands in an address for text that only the running page knows; it may be
/// empty.
pub const UNKNOWN: char = '\u{fffc}';

/// Stands in an address for the host and the port of the page.
pub const HOST: char = '\u{e000}';

/// Stands in an address for the host of the page, without the port.
pub const HOSTNAME: char = '\u{e001}';

/// Something that a page asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// How it asks.
    pub asks: Asks,
    /// The address as written, with [`UNKNOWN`], [`HOST`] and [`HOSTNAME`] for
    /// what isn't; empty for the page itself.
    pub address: String,
}

/// How a page asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// By HTTP with this method.
    By(Method),
    /// By HTTP with a method that only the running page knows.
    ByAny,
    /// By WebSocket.
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

/// Tells where lines begin.
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

/// Tells whether a comment at a line, or at the one above it, says that what it
/// asks for is not this server's business: `pode: external`.
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
