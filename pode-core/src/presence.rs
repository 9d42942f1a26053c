//! Presence: what is told of clients to others of their path.

/// How many bytes that may have of each, as JSON.
pub const MAX_INFO_BYTES: usize = 1024;
