//! The model of endpoints.

use super::{Head, Name, Place};
use crate::address::Bind;
use crate::protocol::Protocol;

/// One address and its protocol.
#[derive(Debug)]
pub struct Endpoint {
    /// The parts that every declaration has.
    pub head: Head,
    /// The name by which routes and signals choose it.
    pub name: Option<Name>,
    /// The protocol.
    pub protocol: Protocol,
    /// Where the protocol stands.
    pub protocol_place: Place,
    /// Where it listens; `None` if known only at run time.
    pub bind: Option<Bind>,
    /// Where the address stands.
    pub address_place: Place,
    /// The certificate option of this endpoint.
    pub certificate: Option<Certificate>,
    /// The authorities that sign the certificates clients must or may show, as
    /// named here.
    pub client_certificate: Option<Certificate>,
    /// The limits that are named here.
    pub limits: Vec<Name>,
}

/// The certificate of an endpoint, or several, as its option names it; or the
/// authorities that sign the certificates of clients.
#[derive(Debug)]
pub struct Certificate {
    /// Where the option's name stands.
    pub place: Place,
    /// The option's value as written: two equal texts are one certificate.
    pub written: String,
    /// Where literal passwords stand.
    pub passwords: Vec<Place>,
    /// The files that must exist while compiling.
    pub files: Vec<CertificateFile>,
    /// The members of a list, if it is one.
    pub list: Option<Vec<Listed>>,
}

/// A certificate in a list of several.
#[derive(Debug)]
pub struct Listed {
    /// Where it stands.
    pub place: Place,
    /// As written: two equal texts are one certificate.
    pub written: String,
    /// The index of its chain among all files, if the chain is known and
    /// exists.
    pub chain: Option<usize>,
}

/// A file that makes up a certificate.
#[derive(Debug)]
pub struct CertificateFile {
    /// The path as written, relative to the crate.
    pub path: Name,
    /// The declared kind of content.
    pub kind: CertificateFileKind,
    /// The content; `None` if there is no such file. Keys are not read, so
    /// theirs is empty.
    pub content: Option<Vec<u8>>,
    /// The neighbouring files, for suggestions.
    pub siblings: Vec<String>,
}

/// The declared kind of a certificate file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFileKind {
    /// A chain with its key, as PKCS#12.
    Pfx,
    /// A chain, as PEM.
    Chain,
    /// The key of a chain, as PEM.
    Key,
    /// The authorities that sign the certificates of clients, as PEM.
    Authorities,
}
