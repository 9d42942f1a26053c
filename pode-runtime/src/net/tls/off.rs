//! Stands in for TLS where the feature `tls` is off. Nothing of it is ever made
//! but the absence of a certificate, so the rest of a server needs to know no
//! difference.

pub mod certificate {
    //! Certificates, of which there are none without the feature `tls`.

    use std::path::PathBuf;

    use pode_core::Bind;

    /// The certificate of a secure endpoint; without the feature `tls` there is
    /// only the default, which is none.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Certificate {}

    impl Certificate {
        #[cfg(feature = "test")]
        pub(crate) fn complete(&mut self, _: &std::collections::HashMap<String, String>) {}

        /// Never, so that an endpoint is told of the feature instead.
        pub(crate) fn is_none(&self) -> bool {
            false
        }
    }

    /// Whether clients present a certificate; without the feature `tls` there
    /// is only the default: they don't.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct ClientAuthorities {}

    impl ClientAuthorities {
        pub(crate) fn is_none(&self) -> bool {
            true
        }
    }

    /// The certificate of a client; without the feature `tls` none has one.
    #[derive(Clone, Debug)]
    pub enum ClientCertificate {}

    /// What an address would show to clients.
    #[allow(dead_code, reason = "they have to be given, and nobody reads them")]
    pub(crate) struct Credentials {
        pub(crate) endpoint: String,
        pub(crate) certificate: Certificate,
        pub(crate) authorities: ClientAuthorities,
        pub(crate) folder: Option<PathBuf>,
        pub(crate) bind: Bind,
    }
}

pub(crate) mod config {
    //! What never listens and never connects.

    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::net::TcpStream;

    use super::certificate::{ClientCertificate, Credentials};
    use crate::base::error::StartError;

    /// Never exists.
    #[derive(Clone)]
    pub(crate) enum Tls {}

    impl Tls {
        /// # Errors
        ///
        /// Always: the feature is off.
        pub(crate) fn new(credentials: Credentials, _http_2: bool) -> Result<Tls, StartError> {
            let what = format!("endpoint `{}`", credentials.endpoint);
            Err(StartError::FeatureOff { what, feature: "tls" })
        }

        pub(crate) async fn accept(
            &self,
            _: TcpStream,
            _: Duration,
            _: impl Future,
        ) -> io::Result<TlsStream> {
            match *self {}
        }
    }

    /// Never exists.
    #[derive(Debug)]
    pub(crate) enum TlsStream {}

    impl AsyncRead for TlsStream {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match *self {}
        }
    }

    impl AsyncWrite for TlsStream {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            match *self {}
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match *self {}
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match *self {}
        }
    }

    pub(crate) fn tcp_stream(stream: &TlsStream) -> &TcpStream {
        match *stream {}
    }

    pub(crate) fn client_certificate(stream: &TlsStream) -> io::Result<Option<ClientCertificate>> {
        match *stream {}
    }

    pub(crate) fn chose_http_2(stream: &TlsStream) -> bool {
        match *stream {}
    }
}

#[cfg(any(feature = "redis", feature = "upstream"))]
pub(crate) mod client {
    //! No TLS to other servers.

    use std::fmt::Arguments;
    use std::path::Path;

    use tokio::net::TcpStream;

    #[cfg(feature = "upstream")]
    use crate::base::error::StartError;
    use crate::net::roots::Roots;

    /// Never exists.
    pub(crate) enum TlsClient {}

    /// Never exists.
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum TlsError {}

    /// The feature is off.
    #[derive(Debug, thiserror::Error)]
    #[error("TLS needs the feature `tls` of `pode`")]
    pub(crate) struct RootsError;

    impl TlsClient {
        /// # Errors
        ///
        /// Always: the feature is off.
        pub(crate) fn new(
            _: &Roots,
            _: Arguments<'_>,
            _: Option<&Path>,
        ) -> Result<TlsClient, RootsError> {
            Err(RootsError)
        }

        pub(crate) async fn connect(&self, _: &str, _: TcpStream) -> Result<TcpStream, TlsError> {
            match *self {}
        }
    }

    #[cfg(feature = "upstream")]
    impl RootsError {
        pub(crate) fn of_upstream(self, upstream: &'static str) -> StartError {
            let what = format!("the `wss` URL of upstream `{upstream}`");
            StartError::FeatureOff { what, feature: "tls" }
        }
    }
}

pub(crate) mod renewal {
    //! Nothing to renew.

    use super::config::Tls;

    /// Never exists.
    #[derive(Debug)]
    pub(crate) enum Renewal {}

    impl Renewal {
        pub(crate) fn start(_: impl Iterator<Item = Tls>) -> Option<Renewal> {
            None
        }
    }
}
