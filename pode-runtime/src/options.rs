//! The options of each noun, as fields.

use std::time::Duration;

/// Options of a server: `pub server name { send_timeout: 2s };`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How long a `send` waits for room in a full channel before it gives up;
    /// 5 seconds by default.
    pub send_timeout: Duration,

    /// How long stopping may take: requests in flight are let finish, and
    /// clients are told, until then. 10 seconds by default.
    pub stop_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            send_timeout: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

/// Options of a signal: `signal CHAT: Message = "/" { capacity_messages: 64 };`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignalOptions {
    /// How many messages the channel holds that are sent and not yet on their
    /// way to clients; 128 by default, at least 1. When it is full, `send`
    /// waits: nothing is lost at any capacity. Each message of capacity takes
    /// some 50 bytes from the start.
    pub capacity_messages: usize,
}

impl Default for SignalOptions {
    fn default() -> Self {
        SignalOptions { capacity_messages: 128 }
    }
}

/// Options of public files: `public "folder" { cache_age: 1h };`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublicOptions {
    /// For how long browsers may use a file without asking again; zero by
    /// default, so they ask each time, and are told by 304 if nothing changed.
    pub cache_age: Duration,

    /// Whether browsers save the files instead of showing them; not by default.
    pub download: bool,

    /// The file that answers for its folder, `"index.html"` by default; empty
    /// for none.
    pub index: &'static str,
}

impl Default for PublicOptions {
    fn default() -> Self {
        PublicOptions { cache_age: Duration::ZERO, download: false, index: "index.html" }
    }
}
