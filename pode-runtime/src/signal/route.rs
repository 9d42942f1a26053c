//! The route to a signal, and what a request brings to it.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode, Version};
use pode_core::RoutePath;

use super::Signal;
use crate::app::context::Context;
use crate::app::event::RequestHead;
use crate::http::activity::Activity;
use crate::http::origin::OriginPolicy;
use crate::http::response::sentence;
use crate::push::engine::{Engine, MAX_PATH_BYTES};
use crate::signal::options::EventStreams;

/// The route to a signal, at one of the server's addresses.
#[derive(Debug)]
pub(crate) struct SignalRoute {
    pub(crate) path: RoutePath,
    names: Vec<Arc<str>>,
    pub(super) signal: Signal,
    pub(super) origins: OriginPolicy,
}

/// The data of a handshake, in the extensions of its request.
#[derive(Clone)]
pub(crate) struct Handshake {
    pub(crate) version: Version,
    pub(crate) head: RequestHead,
    /// The decoded values of the path's parameters.
    pub(crate) values: Vec<String>,
    pub(crate) context: Arc<Context>,
    pub(crate) engine: Engine,
    /// Unknown in an embedded server.
    pub(crate) connection: Option<Arc<Activity>>,
}

/// The parameters of a path within a family, and that path.
type OwnPath = Option<(Arc<dyn Any + Send + Sync>, Arc<str>)>;

/// The header with the ticket of a client that wants an event stream, or sends a message
/// without a WebSocket.
pub(super) const TICKET: HeaderName = HeaderName::from_static("x-pode-ticket");

impl SignalRoute {
    /// # Panics
    ///
    /// When the path of the signal is invalid; the macro has parsed it before.
    pub(crate) fn new(signal: Signal, origins: OriginPolicy) -> SignalRoute {
        let path: RoutePath =
            signal.path.parse().expect("the macro parsed this path by the same rules");
        let names = path.parameters().map(Arc::from).collect();
        SignalRoute { path, names, signal, origins }
    }

    /// Whether it is heard by event streams, too.
    pub(crate) fn has_event_streams(&self) -> bool {
        self.signal.is_json && self.signal.options.event_streams == EventStreams::On
    }

    /// Reads the parameters of a path within a family, and its own path; none of another
    /// signal.
    #[expect(clippy::result_large_err, reason = "it is the answer, and moved once")]
    pub(super) fn read_path(&self, values: &[String]) -> Result<OwnPath, Response<Bytes>> {
        let Some(read) = self.signal.read else { return Ok(None) };
        let read = read(self.signal.path, &self.names, values);
        let (parameters, path) = read.map_err(|text| sentence(StatusCode::BAD_REQUEST, &text))?;
        if path.len() > MAX_PATH_BYTES {
            let text = format!("the path of a signal has at most {MAX_PATH_BYTES} bytes");
            return Err(sentence(StatusCode::URI_TOO_LONG, &text));
        }
        Ok(Some((parameters, path)))
    }
}
