//! Endpoints as meant.

use super::{Head, Name, Place};
use crate::address::Bind;
use crate::protocol::Protocol;

/// One address and what is spoken there.
#[derive(Debug)]
pub struct Endpoint {
    /// What every declaration has.
    pub head: Head,
    /// The name by which routes and signals choose it.
    pub name: Option<Name>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where the protocol stands.
    pub protocol_place: Place,
    /// Where it listens; `None` if only the run time knows.
    pub bind: Option<Bind>,
    /// Where the address stands.
    pub address_place: Place,
    /// The certificate that is named here.
    pub certificate: Option<Certificate>,
    /// Whose certificates clients must or may show, as named here.
    pub client_certificate: Option<Certificate>,
    /// The limits that are named here.
    pub limits: Vec<Name>,
}

/// The certificate of an endpoint, or several, as its option names it; or those
/// that sign the certificates of clients.
#[derive(Debug)]
pub struct Certificate {
    /// Where the option's name stands.
    pub place: Place,
    /// The option's value as written: two that are alike are one certificate.
    pub written: String,
    /// Where passwords stand that are written out.
    pub passwords: Vec<Place>,
    /// The files that must be there while compiling.
    pub files: Vec<CertificateFile>,
    /// The members of a list, if it is one.
    pub list: Option<Vec<Listed>>,
}

/// A certificate in a list of several.
#[derive(Debug)]
pub struct Listed {
    /// Where it stands.
    pub place: Place,
    /// As written: two that are alike are one certificate.
    pub written: String,
    /// The index of its chain among all files, if that is known and there.
    pub chain: Option<usize>,
}

/// A file that makes up a certificate.
#[derive(Debug)]
pub struct CertificateFile {
    /// The path as written, relative to the crate.
    pub path: Name,
    /// What the file is said to hold.
    pub kind: CertificateFileKind,
    /// What it holds; `None` if there is no such file. Keys are not read, so
    /// theirs is empty.
    pub content: Option<Vec<u8>>,
    /// The files beside it, to guess what was meant.
    pub siblings: Vec<String>,
}

/// What a certificate file is said to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFileKind {
    /// A chain with its key, as PKCS#12.
    Pfx,
    /// A chain, as PEM.
    Chain,
    /// The key of a chain, as PEM.
    Key,
    /// Those who sign the certificates of clients, as PEM.
    Authorities,
}
