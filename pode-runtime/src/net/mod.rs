//! Sockets: listening, accepting, the limits of connections, of clients and of
//! descriptors, stopping, and TLS. Nothing here knows HTTP.

pub(crate) mod accept;
pub(crate) mod client_limit;
pub(crate) mod connection_limit;
pub(crate) mod fd_limit;
pub(crate) mod listen;
pub(crate) mod shutdown;
pub(crate) mod tls;
pub(crate) mod upgraded;
