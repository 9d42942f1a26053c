//! HTTP of one connection, whatever answers the requests.
//!
//! `serve` accepts, `http1` speaks HTTP/1.1, `http2` HTTP/2. `timeout_stream` gives
//! up on heads, idle connections and slow readers, with `activity` (whether the
//! client or the server is due), `min_throughput`, `half_close` and `linger`
//! (bodies that nobody reads); `stream_progress` does so for the responses within
//! an HTTP/2 connection, and `body_timeout` gives up on slow bodies.
//! `request_smuggling` refuses ambiguous requests. `exchange` evens out the
//! versions; `header`, `range`, `decode` (with `flattened`) and `response` read and
//! write. `handshake/` is that of WebSockets, `upgraded` what is left of the
//! connection afterwards, and `event_stream` begins a response that goes on without HTTP. `hosts` says by which hosts a server is reached,
//! `forwarded` for whom a proxy sends, `origin` whose pages may connect and send,
//! `content_security_policy` which scripts a page runs.

pub(crate) mod activity;
pub(crate) mod body_timeout;
pub(crate) mod content_security_policy;
pub(crate) mod decode;
pub(crate) mod event_stream;
pub(crate) mod exchange;
mod flattened;
pub(crate) mod forwarded;
mod half_close;
pub(crate) mod handshake;
pub(crate) mod header;
pub(crate) mod hosts;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod linger;
pub(crate) mod min_throughput;
#[cfg(feature = "views")]
pub(crate) mod nonce;
pub(crate) mod origin;
pub(crate) mod range;
pub(crate) mod request_smuggling;
pub(crate) mod response;
pub(crate) mod serve;
pub(crate) mod stream_progress;
pub(crate) mod timeout_stream;
pub(crate) mod upgraded;
