//! Sockets, below HTTP.
//!
//! `listen` binds sockets or inherits them, `descriptor` passes them on, `accept`
//! takes connections from them. `connection_limit` counts by permits; `fd_limit`
//! raises the limit of descriptors. `proxies` says which proxies are trusted,
//! `proxy_protocol` reads for whom they open a connection. `shutdown` listens for
//! SIGTERM and Ctrl-C. `tls/` has certificates and their renewal, and TLS
//! to other servers, which are verified by `roots`. `upgraded` is a
//! connection that HTTP has let go of.

pub(crate) mod accept;
pub(crate) mod connection_limit;
#[cfg(unix)]
pub(crate) mod descriptor;
pub(crate) mod fd_limit;
pub(crate) mod listen;
pub(crate) mod proxies;
pub(crate) mod proxy_protocol;
#[cfg(any(feature = "redis", feature = "upstream"))]
pub(crate) mod roots;
pub(crate) mod shutdown;
#[cfg_attr(not(feature = "tls"), path = "tls/off.rs")]
pub(crate) mod tls;
pub(crate) mod upgraded;
