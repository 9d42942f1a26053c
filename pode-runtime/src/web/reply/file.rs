//! Replies with a file from disk.

use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, ETAG, HeaderValue};
use tokio::task::spawn_blocking;
use warp::reply::Response;

use super::Reply;
use crate::app::event::WebEvent;
use crate::base::error::EventError;
use crate::base::log::ration::{Quoted, rationed};
use crate::content::file::{ContentFile, answer, is_absence};
use crate::http::response::{WholeResponse, attachment, content_type, typed};

/// Opens a file to answer with; the path is relative to the working directory
/// of the program.
///
/// Never use request data in the path unchecked, or a request can read any
/// file. The file is read piece by piece while the client takes it, and open
/// until then. A client may ask for a part of it (`Range`), as for videos and
/// downloads that go on, and gets a 304 if it has the file already. It is
/// recognized by its path, time and length, of which the `ETag` is made, unless
/// the handler sets one.
///
/// # Errors
///
/// Status 404 if there is no such file (folders, pipes and devices are none),
/// and 500, with the reason in the log, if it can't be opened. A handler may
/// pass on both with `?`.
pub async fn file(path: impl Into<PathBuf>) -> Result<File, EventError> {
    let path = path.into();
    let opening = {
        let path = path.clone();
        spawn_blocking(move || ContentFile::open(&path))
    };
    match opening.await.unwrap_or_else(|panic| Err(panic.into())) {
        Ok(content) => Ok(File { path, content, download: false }),
        Err(error) if is_absence(&error) => Err(EventError::new(404, "there is no such file")),
        Err(error) => {
            let path = Quoted(path.as_os_str().as_encoded_bytes());
            rationed!(error, "cannot read {path:?}: {error}");
            Err(EventError::new(500, "the file can't be read"))
        }
    }
}

/// A file to answer with; made by [`file()`].
#[derive(Clone, Debug)]
#[must_use = "a reply does nothing until it is returned from a handler"]
pub struct File {
    path: PathBuf,
    content: ContentFile,
    download: bool,
}

impl File {
    /// Has browsers save the file, under its own name, instead of showing it.
    pub fn download(mut self) -> File {
        self.download = true;
        self
    }
}

/// The response has no body yet: the file in its extensions is read when it is
/// sent.
impl Reply for File {
    fn into_response(self, event: &WebEvent) -> WholeResponse {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut response = typed(&content_type(&name), Bytes::new());
        let headers = response.headers_mut();
        if matches!(*event.method(), Method::GET | Method::HEAD) {
            headers.insert(ETAG, self.content.tag(&self.path.to_string_lossy()));
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if self.download {
            headers.insert(CONTENT_DISPOSITION, attachment(&name));
        }
        response.extensions_mut().insert(self.content);
        response
    }
}

/// Makes a response that can be sent: with the file of a reply, if it has one.
pub(crate) fn with_file(mut response: WholeResponse, event: &WebEvent) -> Response {
    match response.extensions_mut().remove::<ContentFile>() {
        // Whoever gave the response a body of its own means that.
        Some(file) if response.body().is_empty() => {
            let (head, _) = response.into_parts();
            answer(head, &file, event.method(), event.headers())
        }
        _ => warp::Reply::into_response(response),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_can_be_no_file_is_not_found() {
        let long = "x".repeat(5000);
        for path in ["missing", "Cargo.toml/x", "Cargo.toml\0", &long, "src", "/dev/null"] {
            assert_eq!(file(path).await.unwrap_err().status(), 404, "{path}");
        }
        assert_eq!(file("Cargo.toml").await.unwrap().path, PathBuf::from("Cargo.toml"));
    }
}
