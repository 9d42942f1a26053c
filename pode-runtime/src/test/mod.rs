//! What users test their servers with; `pode::test` tells how.
//!
//! [`start`](start()) starts a `server` on free ports. A `request` and the `connect` of
//! a `client` are an `exchange` each, over a `stream` of TCP or `tls`, by an `identity`.
//! A client, and an `upstream` that the test plays, are a `conversation`; they hold a
//! `socket`, whose task reads all the time. `settling` knows when all is done that
//! these have caused, and the `clock` which jobs are. `patience` is how long a test
//! waits and how it fails, `json` what it compares. A `protocol_client` speaks `pode.v1`,
//! of which `protocol` is all but the I/O.

mod client;
mod clock;
mod connect;
mod conversation;
mod exchange;
mod identity;
mod json;
mod patience;
mod protocol;
mod protocol_client;
mod request;
mod response;
mod server;
mod settling;
mod socket;
mod start;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "tls_off.rs")]
mod tls;
#[cfg(feature = "upstream")]
mod upstream;

pub use client::Client;
pub use connect::Connect;
pub use protocol::{Gap, Hello, Received};
pub use protocol_client::ProtocolClient;
pub use request::Request;
pub use response::Response;
pub use server::TestServer;
pub use socket::Closed;
pub use start::{Start, start};
#[cfg(feature = "upstream")]
pub use upstream::TestUpstream;
