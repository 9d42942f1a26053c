//! How many connections the system lets this process have.

/// Raises the soft limit of open descriptors to the hard one.
///
/// Each connection takes one, and the soft limit is often 1,024 for the sake
/// of old programs. Where it can't be raised, the server runs all the same.
pub(crate) fn raise_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            limit.current = limit.maximum;
            if let Err(error) = setrlimit(Resource::Nofile, limit) {
                tracing::debug!(%error, "cannot raise the limit of open descriptors");
            }
        }
    }
}
