//! Replies with a file from disk.

use std::io::ErrorKind;
use std::path::PathBuf;

use bytes::Bytes;
use http::header::CONTENT_DISPOSITION;

use super::Reply;
use crate::app::event::WebEvent;
use crate::base::error::EventError;
use crate::http::response::{WholeResponse, attachment, content_type, typed};

/// Reads a file to answer with; the path is relative to the working directory
/// of the program.
///
/// Never use request data in the path unchecked, or a request can read any
/// file. The whole file is read into memory.
///
/// # Errors
///
/// Status 404 if there is no such file, and 500, with the reason in the log, if
/// it can't be read. A handler may pass on both with `?`.
pub async fn file(path: impl Into<PathBuf>) -> Result<File, EventError> {
    let path = path.into();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let reading = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || std::fs::read(path))
    };
    match reading.await.unwrap_or_else(|panic| Err(panic.into())) {
        Ok(body) => Ok(File { name, body: body.into(), download: false }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(EventError::new(404, "there is no such file"))
        }
        Err(error) => {
            tracing::error!("cannot read {path:?}: {error}");
            Err(EventError::new(500, "the file can't be read"))
        }
    }
}

/// A file to answer with; made by [`file()`].
#[derive(Clone, Debug)]
#[must_use = "a reply does nothing until it is returned from a handler"]
pub struct File {
    name: String,
    body: Bytes,
    download: bool,
}

impl File {
    /// Has browsers save the file, under its own name, instead of showing it.
    pub fn download(mut self) -> File {
        self.download = true;
        self
    }
}

impl Reply for File {
    fn into_response(self, _event: &WebEvent) -> WholeResponse {
        let mut response = typed(&content_type(&self.name), self.body);
        if self.download {
            response.headers_mut().insert(CONTENT_DISPOSITION, attachment(&self.name));
        }
        response
    }
}
