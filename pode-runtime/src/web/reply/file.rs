//! Replies with a file from disk.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, ETAG, HeaderValue};
use tokio::task::spawn_blocking;
use warp::reply::Response;

use super::Reply;
use crate::app::event::WebEvent;
use crate::base::error::EventError;
use crate::base::log::ration::{Quoted, rationed};
use crate::content::file::{ContentFile, answer, is_absence, is_shortage};
use crate::http::response::{WholeResponse, attachment, content_type, typed};

/// Opens a file to answer with.
///
/// A path that isn't absolute is relative to the program's working directory, which
/// is wherever it was started, and for a service what its unit says: not to the
/// crate, unlike the folders of `views` and `public`.
///
/// ```
/// # mod pode {
/// #     pub mod prelude {
/// #         pub use pode_runtime::{EventError, WebEvent, reply::{Reply, file}};
/// #     }
/// # }
/// use pode::prelude::*;
///
/// /// Answers `route GET "/reports/:year" (year: u16) => report;`.
/// async fn report(_: WebEvent, year: u16) -> Result<impl Reply, EventError> {
///     Ok(file(format!("/srv/reports/{year}.pdf")).await?.download())
/// }
/// ```
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
/// Status 404 if there is no such file (folders, pipes and devices are none), 503
/// while the program has no descriptor left, and 500 if it can't be opened for
/// another reason. The log has the path and the reason. A handler may pass on all of
/// them with `?`.
pub async fn file(path: impl Into<PathBuf>) -> Result<File, EventError> {
    let path = path.into();
    let opening = {
        let path = path.clone();
        spawn_blocking(move || ContentFile::open(&path))
    };
    match opening.await.unwrap_or_else(|panic| Err(panic.into())) {
        Ok(content) => Ok(File { path, content, download: false }),
        Err(error) => {
            let quoted = Quoted(path.as_os_str().as_encoded_bytes());
            if is_absence(&error) {
                rationed!(warn, "there is no file {quoted:?}{}", looked_in(&path));
                return Err(EventError::new(404, "there is no such file"));
            }
            rationed!(error, "cannot read {quoted:?}: {error}");
            Err(match is_shortage(&error) {
                true => EventError::new(503, "the file can't be read at the moment"),
                false => EventError::new(500, "the file can't be read"),
            })
        }
    }
}

/// Tells where a relative path leads to.
fn looked_in(path: &Path) -> String {
    match std::env::current_dir() {
        Ok(folder) if path.is_relative() => format!(" in the working directory {folder:?}"),
        _ => String::new(),
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
    use crate::base::log::Collected;

    #[tokio::test]
    async fn what_can_be_no_file_is_not_found() {
        let (log, _guard) = Collected::begin();
        let long = "x".repeat(5000);
        for path in ["missing", "Cargo.toml/x", "Cargo.toml\0", &long, "src", "/dev/null"] {
            assert_eq!(file(path).await.unwrap_err().status(), 404, "{path}");
        }
        assert_eq!(file("Cargo.toml").await.unwrap().path, PathBuf::from("Cargo.toml"));
        let log = log.text();
        let lines: Vec<_> = log.lines().map(str::trim_start).collect();
        let folder = std::env::current_dir().unwrap();
        let first =
            format!(r#"WARN there is no file "missing" in the working directory {folder:?}"#);
        assert_eq!(lines[0], first);
        assert_eq!(lines[5], r#"WARN there is no file "/dev/null""#);
    }
}
