//! One connection's HTTP, whoever answers: serving, time-outs, what is refused before a route is
//! looked for, responses, and the WebSocket handshake.

pub(crate) mod activity;
pub(crate) mod body_timeout;
pub(crate) mod content_security_policy;
pub(crate) mod decode;
pub(crate) mod exchange;
pub(crate) mod handshake;
pub(crate) mod header;
pub(crate) mod http2;
pub(crate) mod linger;
pub(crate) mod min_throughput;
pub(crate) mod origin;
pub(crate) mod request_smuggling;
pub(crate) mod response;
pub(crate) mod serve;
pub(crate) mod timeout_stream;
pub(crate) mod upgraded;
