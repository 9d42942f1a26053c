//! Errors, with their messages.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use http::StatusCode;
use pode_core::address::AddressError;
use pode_core::feature::advice;
use pode_core::host::HostError;
use pode_core::network::NetworkError;
use pode_core::origin::OriginError;
use pode_core::upstream_url::UpstreamUrlError;

/// Joins an error and its causes into one sentence.
pub(crate) fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        sentence.push_str(": ");
        sentence.push_str(&error.to_string());
        cause = error.source();
    }
    sentence
}

/// Why a server could not start. It listens on no address then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address that was computed at run time is invalid.
    #[error("endpoint `{endpoint}`: {reason}; {}", reason.help())]
    Address {
        /// The endpoint as declared: its protocol, with its name if it has one.
        endpoint: String,
        /// What is wrong with the address.
        reason: AddressError,
    },

    /// Another program listens on the address, usually an earlier run of this
    /// one.
    #[error("endpoint `{endpoint}` can't listen on {address}, which is already in use")]
    AddressInUse {
        /// The endpoint as declared.
        endpoint: String,
        /// The address with its port.
        address: String,
    },

    /// The operating system refuses the address: a port below 1024 without the
    /// right to it, or an address that this machine doesn't have.
    #[error("endpoint `{endpoint}` can't listen on {address}")]
    Bind {
        /// The endpoint as declared.
        endpoint: String,
        /// The address with its port.
        address: String,
        /// The error of the operating system.
        source: io::Error,
    },

    /// The socket that the option `hand_over` names can't be used, or the
    /// process found there doesn't hand over.
    #[error("the hand-over socket `{}` {reason}", path.display())]
    HandOver {
        /// The path as declared.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The error of the operating system or the other process.
        source: Option<io::Error>,
    },

    /// The backplane can't be reached, or can't be used.
    #[error("the backplane at {url} can't be used: {reason}")]
    Backplane {
        /// Its URL, without user and password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A signal or a route names an invalid origin of pages. Reported here if
    /// the compiler could not see it.
    #[error("{declaration} can't let pages in: {reason}; {}", reason.help())]
    Origin {
        /// The signal or the route with its path, such as "signal `/news`".
        declaration: String,
        /// What is wrong with which origin.
        reason: OriginError,
    },

    /// An endpoint names an invalid host. Reported here if the compiler could
    /// not see it.
    #[error("the {endpoint} endpoint can't be reached as declared: {reason}; {}", reason.help())]
    Host {
        /// The endpoint: its name, if it has one, and its protocol.
        endpoint: String,
        /// What is wrong with which host.
        reason: HostError,
    },

    /// An endpoint names an invalid address or network of proxies. Reported here
    /// if the compiler could not see it.
    #[error("the {endpoint} endpoint can't trust its proxies: {reason}; {}", reason.help())]
    Network {
        /// The endpoint: its name, if it has one, and its protocol.
        endpoint: String,
        /// What is wrong with which address or network.
        reason: NetworkError,
    },

    /// An endpoint has the option `proxy_protocol`, and no proxies to speak it.
    #[error("endpoint `{endpoint}` has `proxy_protocol`, but no `trusted_proxies` to speak it")]
    NoProxies {
        /// The endpoint as declared.
        endpoint: String,
    },

    /// Two endpoints share an address but trust different proxies.
    #[error("endpoint `{endpoint}` shares an address, but not its `trusted_proxies`")]
    OtherProxies {
        /// The later of the two, as declared.
        endpoint: String,
    },

    /// The operating system doesn't let the program open more files and
    /// sockets.
    #[error("can't watch the sockets of clients")]
    Watch {
        /// The error of the operating system.
        source: io::Error,
    },

    /// A certificate, its key or its password is missing or invalid.
    #[error("endpoint `{endpoint}` can't use `{file}`")]
    Certificate {
        /// The endpoint as declared.
        endpoint: String,
        /// The file at fault, as written.
        file: String,
        /// What is wrong with it.
        source: CertificateError,
    },

    /// Two endpoints share an address but accept different client certificates.
    /// Reported here if this could only be known at run time.
    #[error("endpoint `{endpoint}` shares an address, but not whose client certificates are good")]
    OtherClientCertificate {
        /// The later of the two, as declared.
        endpoint: String,
    },

    /// A secure endpoint names no certificate and shares none with another
    /// endpoint. Reported here if its address or its certificate could only be
    /// known at run time.
    #[error("endpoint `{endpoint}` needs a certificate")]
    NoCertificate {
        /// The endpoint as declared.
        endpoint: String,
    },

    /// Two secure endpoints turn out to share an address but name different
    /// certificates.
    #[error("endpoint `{endpoint}` shares an address, but not a certificate")]
    OtherCertificate {
        /// The later of the two, as declared.
        endpoint: String,
    },

    /// Two routes take the same requests. The compiler could not compare them,
    /// since they have different `#[cfg]`s, and both are present.
    #[error("route `{route}` is declared twice")]
    RouteTwice {
        /// The method and the path.
        route: String,
    },

    /// A view is not a valid template.
    #[error("view `{view}` can't be used: {reason}")]
    View {
        /// Its path below the folder of views.
        view: String,
        /// What is wrong, and in which line.
        reason: String,
    },

    /// The interval of a timer, computed by an expression, is zero.
    #[error("timer `{timer}`: an interval must be longer than zero")]
    Interval {
        /// Its name.
        timer: &'static str,
    },

    /// The URL of an upstream, computed by an expression, is invalid.
    #[error("upstream `{upstream}`: {reason}; {}", reason.help())]
    UpstreamUrl {
        /// Its name.
        upstream: &'static str,
        /// What is wrong with the URL.
        reason: UpstreamUrlError,
    },

    /// The root certificates that an upstream is to trust can't be read.
    #[error("upstream `{upstream}` can't use the roots in `{file}`")]
    Roots {
        /// Its name.
        upstream: &'static str,
        /// The file, as written.
        file: String,
        /// What is wrong with it.
        source: CertificateError,
    },

    /// An upstream behind TLS would trust no certificate: the system has no
    /// root certificates, as happens in small containers.
    #[error(
        "upstream `{upstream}` finds no root certificates on this system; install some, or name a file by `roots: roots_of(\"root.pem\")`"
    )]
    NoRoots {
        /// Its name.
        upstream: &'static str,
    },

    /// Two timers or two schedules have the same name. The compiler could not
    /// compare them, since they have different `#[cfg]`s, and both are present.
    #[error("{noun} `{name}` is declared twice")]
    NameTwice {
        /// `timer` or `schedule`.
        noun: &'static str,
        /// The name.
        name: &'static str,
    },

    /// Something needs a Cargo feature of `pode` that is off. Reported here if
    /// the compiler could not see it.
    #[error("{what} needs the feature `{feature}` of `pode`: {}", advice(feature))]
    FeatureOff {
        /// What needs it.
        what: String,
        /// The feature.
        feature: &'static str,
    },

    /// The environment variable that should hold the secret of `client_ids` is
    /// not set.
    #[error(
        "the environment variable `{variable}`, which should hold the secret of `client_ids`, \
         is not set; make one by `openssl rand -hex 32`"
    )]
    NoSecret {
        /// The variable.
        variable: String,
    },

    /// The secret of `client_ids` has fewer than 16 bytes: it could be found by
    /// trying.
    #[error(
        "the secret of `client_ids`{} has fewer than 16 bytes; make one by `openssl rand -hex 32`",
        variable.as_ref().map(|name| format!(" in the environment variable `{name}`")).unwrap_or_default()
    )]
    ShortSecret {
        /// The environment variable that holds it; `None` if the program has it
        /// from elsewhere.
        variable: Option<String>,
    },

    /// The operating system provides no threads or no timers.
    #[error("the runtime can't start")]
    Runtime {
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Why a running server ended by itself: a task that it can't do without
/// panicked and could not be restarted.
///
/// The cause is a bug in this crate or in the program's `tracing` subscriber.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server can't go on without {task}: {reason}")]
#[non_exhaustive]
pub struct EndedError {
    /// What the task is for.
    pub task: String,
    /// Why it could not be restarted.
    pub reason: String,
}

/// Why a timer or a schedule could not be invoked manually.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The server declares no timer of this name.
    #[error("no timer `{name}` is declared")]
    UnknownTimer {
        /// The name that was asked for.
        name: String,
    },

    /// The server declares no schedule of this name.
    #[error("no schedule `{name}` is declared")]
    UnknownSchedule {
        /// The name that was asked for.
        name: String,
    },
}

/// Why a certificate can't be used. Passwords never appear here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no such file.
    #[error("there is no file at `{path}`")]
    Missing {
        /// Where it was looked for.
        path: String,
    },

    /// The operating system doesn't allow reading it.
    #[error("it can't be read")]
    Unreadable {
        /// The error of the operating system.
        source: io::Error,
    },

    /// The environment variable of its password is not set, or is not text.
    #[error("the environment variable `{name}`, which should hold its password, is not set")]
    PasswordVariable {
        /// The variable.
        name: String,
    },

    /// The file of its password can't be read.
    #[error("the file `{file}`, which should hold its password, can't be read")]
    PasswordFile {
        /// The file as written.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },

    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,

    /// The file is something else, or damaged.
    #[error("it is not a valid PKCS#12 file: {reason}")]
    NotPkcs12 {
        /// What is wrong with it.
        reason: String,
    },

    /// The file is something else, or damaged.
    #[error("it is not a valid PEM file: {reason}")]
    NotPem {
        /// What is wrong with it.
        reason: String,
    },

    /// The file is sound but holds no certificate.
    #[error("it holds no certificate")]
    NoCertificate,

    /// The file is sound but holds no private key.
    #[error("it holds no private key")]
    NoKey,

    /// The key is in PEM form and encrypted, but no password is given.
    #[error("its key has a password; add `.password(password_from_env(\"NAME\"))` to `pem(…)`")]
    KeyWithPassword,

    /// The key is encrypted as it was before PKCS#8: the password can be
    /// guessed too fast.
    #[error(
        "its key is encrypted in the old way (`Proc-Type: 4,ENCRYPTED`); \
         write it anew by `openssl pkcs8 -topk8 -in old.pem -out new.pem`"
    )]
    OldEncryption,

    /// The key is encrypted by a cipher or a derivation that pode doesn't have,
    /// such as those of PKCS#5 version 1.
    #[error(
        "its key is encrypted in a way that is not understood; \
         write it anew by `openssl pkcs8 -topk8 -v2 aes-256-cbc -in old.pem -out new.pem`"
    )]
    KindOfEncryption,

    /// The key belongs to another certificate.
    #[error("its key doesn't belong to the certificate")]
    OtherKey,

    /// The file begins with another certificate than that of the key, such as
    /// the authority's.
    #[error(
        "its first certificate isn't that of the key; put the server's own first, then those \
         that signed it"
    )]
    OtherFirst,

    /// The certificate is of version 1 (RFC 5280, section 4.1.2.1), which has no
    /// extensions: it names no server, and clients refuse it.
    #[error(
        "its certificate is of version 1, which clients refuse; make one of version 3, with the \
         server's name as `subjectAltName`"
    )]
    Version1,

    /// A certificate is damaged.
    #[error("a certificate in it can't be read")]
    UnreadableCertificate,

    /// The key is neither RSA (from 2048 bits) nor on the curves P-256, P-384
    /// or Ed25519.
    #[error("its key is of a kind that can't be used")]
    KindOfKey,

    /// The file is in PKCS#12 form, and the feature `pfx` is off.
    #[error("a PKCS#12 file needs the feature `pfx` of `pode`: {}", advice("pfx"))]
    PfxOff,

    /// The key has a password, and the feature `encrypted-keys` is off.
    #[error(
        "its key has a password, which needs the feature `encrypted-keys` of `pode`: {}",
        advice("encrypted-keys")
    )]
    EncryptedKeysOff,

    /// No certificate could be generated.
    #[error("none could be made: {reason}")]
    Unmade {
        /// Why not.
        reason: String,
    },
}

/// A response other than success, returned from inside a handler by `?`.
///
/// The client gets the status and the text. Any other error that a handler
/// returns is logged, and the client gets a bare 500.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::EventError;
///
/// fn half(number: u32) -> Result<u32, EventError> {
///     if number % 2 == 1 {
///         return Err(EventError::new(422, "the number must be even"));
///     }
///     Ok(number / 2)
/// }
/// assert_eq!(half(3).unwrap_err().status(), 422);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct EventError {
    status: StatusCode,
    text: Cow<'static, str>,
}

impl EventError {
    /// Makes a response with a status and a sentence for the client.
    ///
    /// A number outside 200 to 999, which is no status of a response, becomes a
    /// 500.
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        EventError { status, text: text.into() }
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_status_of_a_response_becomes_a_500() {
        for (number, status) in [(200, 200), (999, 999), (99, 500), (101, 500), (199, 500)] {
            assert_eq!(EventError::new(number, "").status(), status, "{number}");
        }
    }
}
