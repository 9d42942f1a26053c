//! The root certificates that other servers behind TLS are verified by.

use std::path::PathBuf;

/// The root certificates to trust for another server behind TLS.
///
/// Files are PEM, with one or several certificates, and are read when the
/// server starts. A path is resolved like that of a
/// [`certificate`](crate::net::tls::certificate).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// Those that the operating system trusts.
    #[default]
    SystemRoots,

    /// Those that the operating system trusts, and those in the file.
    SystemRootsAnd(PathBuf),

    /// Those in the file, and no others: for a server whose certificates come
    /// from a private authority.
    RootsOf(PathBuf),
}

/// Makes [`Roots::SystemRootsAnd`] from a PEM file.
pub fn system_roots_and(file: impl Into<PathBuf>) -> Roots {
    Roots::SystemRootsAnd(file.into())
}

/// Makes [`Roots::RootsOf`] from a PEM file.
pub fn roots_of(file: impl Into<PathBuf>) -> Roots {
    Roots::RootsOf(file.into())
}
