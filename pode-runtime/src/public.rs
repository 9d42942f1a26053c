//! Public files: static files, served as they are.

use bytes::Bytes;
use http::StatusCode;
use pode_core::route_table;

use crate::folder::Folder;
use crate::reply::{WholeResponse, whole};

/// A folder of public files and the path under which they appear.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    prefix: Vec<String>,
    folder: Folder,
}

impl Public {
    /// `prefix` is a path without parameters; `/` puts the files at the root.
    pub(crate) fn new(prefix: &str, folder: Folder) -> Public {
        let segments = prefix.split('/').filter(|segment| !segment.is_empty());
        Public { prefix: segments.map(str::to_owned).collect(), folder }
    }

    /// Answers with the file that a path, as it travelled, means; `None` if
    /// there is none.
    pub(crate) async fn find(&self, path: &str) -> Option<WholeResponse> {
        // A folder is not a file, whatever lies in it.
        if path.ends_with('/') {
            return None;
        }
        let segments = route_table::split(path)?;
        if segments.len() <= self.prefix.len()
            || self.prefix.iter().zip(&segments).any(|(a, b)| a != b)
        {
            return None;
        }
        let below: Vec<String> =
            segments[self.prefix.len()..].iter().map(|segment| segment.to_string()).collect();
        let content_type = content_type(below.last()?);
        let file = self.read(below).await?;
        Some(whole(StatusCode::OK, &content_type, file))
    }

    async fn read(&self, segments: Vec<String>) -> Option<Bytes> {
        if !self.folder.is_on_disk() {
            return self.folder.read(segments.iter().map(String::as_str));
        }
        let folder = self.folder.clone();
        let read = move || folder.read(segments.iter().map(String::as_str));
        tokio::task::spawn_blocking(read).await.ok()?
    }
}

fn content_type(name: &str) -> String {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let is_text =
        mime.type_() == "text" || matches!(mime.subtype().as_str(), "javascript" | "json");
    if is_text { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[(&str, &[u8])] =
        &[("a b.txt", b"text"), ("css/style.css", b"style"), ("favicon.svg", b"svg")];

    #[track_caller]
    fn check(public: &Public, path: &str, expected: Option<(&str, &str)>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(public.find(path));
        let found = found.map(|response| {
            let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
            (content_type, String::from_utf8(response.into_body().to_vec()).unwrap())
        });
        let expected =
            expected.map(|(content_type, body)| (content_type.to_owned(), body.to_owned()));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn files_appear_under_their_prefix() {
        let at_root = Public::new("/", Folder::embedded(FILES));
        check(&at_root, "/css/style.css", Some(("text/css; charset=utf-8", "style")));
        check(&at_root, "/a%20b.txt", Some(("text/plain; charset=utf-8", "text")));
        check(&at_root, "/favicon.svg", Some(("image/svg+xml", "svg")));
        let below = Public::new("/static/files", Folder::embedded(FILES));
        check(&below, "/static/files/css/style.css", Some(("text/css; charset=utf-8", "style")));
        check(&below, "/css/style.css", None);
        check(&below, "/static/files", None);
    }

    #[test]
    fn everything_else_is_not_there() {
        let public = Public::new("/", Folder::embedded(FILES));
        for path in [
            "/",
            "/css",
            "/css/",
            "/css/style.css/",
            "//css/style.css",
            "/css%2Fstyle.css",
            "/css/%2e%2e/favicon.svg",
            "/favicon.svg%00",
            "/%FF",
        ] {
            check(&public, path, None);
        }
    }
}
