//! How many connections the system allows this process.

/// How many of the descriptors are reserved for files and other sockets, at
/// least and at most.
const MIN_RESERVE: u64 = 32;
const MAX_RESERVE: u64 = 1024;

/// Raises the soft limit of open descriptors to the hard one, and returns how
/// many connections that allows.
///
/// Each connection takes one descriptor, and the soft limit is often 1,024 for
/// the sake of old programs. If it can't be raised, the server runs
/// nevertheless.
pub(crate) fn raise_limit() -> usize {
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
        if let Some(descriptors) = getrlimit(Resource::Nofile).current {
            return usize::try_from(connections(descriptors)).unwrap_or(usize::MAX);
        }
    }
    usize::MAX
}

/// Returns how many connections so many descriptors allow, less a reserve:
/// views, public files, certificates, upstreams and whatever else the program
/// opens need some, too.
#[cfg(unix)]
fn connections(descriptors: u64) -> u64 {
    let reserve = (descriptors / 16).clamp(MIN_RESERVE, MAX_RESERVE);
    descriptors.saturating_sub(reserve).max(1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_kept_for_other_things() {
        assert_eq!(connections(16), 1);
        assert_eq!(connections(64), 32);
        assert_eq!(connections(1024), 960);
        assert_eq!(connections(1 << 20), (1 << 20) - 1024);
    }
}
