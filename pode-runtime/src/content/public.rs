//! Public files: static files, served as they are.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use http::{HeaderMap, StatusCode};
use pode_core::route_table;

use crate::content::folder::Folder;
use crate::http::content_security_policy::{protect, sources_of_page};
use crate::http::header;
use crate::http::response::{WholeResponse, attachment, content_type, empty, whole};

/// Options of public files: `public "folder" { cache_age: 1h };`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublicOptions {
    /// For how long browsers may use a file without asking again, in whole
    /// seconds, rounded down. Zero by default: browsers ask each time, and get
    /// a 304 if nothing changed.
    pub cache_age: Duration,

    /// Whether browsers save the files instead of showing them; off by default.
    pub download: bool,

    /// The file that is served for its folder, `"index.html"` by default; empty
    /// for none.
    pub index: &'static str,
}

impl Default for PublicOptions {
    fn default() -> Self {
        PublicOptions { cache_age: Duration::ZERO, download: false, index: "index.html" }
    }
}

/// A folder of public files and the path under which they appear.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    prefix: Vec<String>,
    folder: Folder,
    options: PublicOptions,
}

impl Public {
    /// `prefix` is a path without parameters; `/` puts the files at the root.
    pub(crate) fn new(prefix: &str, folder: Folder, options: PublicOptions) -> Public {
        let segments = prefix.split('/').filter(|segment| !segment.is_empty());
        Public { prefix: segments.map(str::to_owned).collect(), folder, options }
    }

    /// Answers with the file that a path, in its encoded form, refers to;
    /// `None` if there is none.
    ///
    /// `policy` is the Content-Security-Policy of pages.
    pub(crate) async fn find(
        &self,
        path: &str,
        headers: &HeaderMap,
        policy: &str,
    ) -> Option<WholeResponse> {
        let segments = route_table::split(path)?;
        let below = segments.get(self.prefix.len()..)?;
        if self.prefix.iter().zip(&segments).any(|(wanted, found)| wanted != found) {
            return None;
        }
        let mut file = below.to_vec();
        if !path.ends_with('/')
            && let Some(content) = self.read(&file).await
        {
            return Some(self.answer(file.last()?, content, headers, policy));
        }
        if self.options.index.is_empty() {
            return None;
        }
        file.push(Cow::Borrowed(self.options.index));
        let content = self.read(&file).await?;
        if path.ends_with('/') {
            return Some(self.answer(self.options.index, content, headers, policy));
        }
        // Without the slash, the page's relative links would lead elsewhere.
        let mut response = empty(StatusCode::PERMANENT_REDIRECT);
        response.headers_mut().insert(LOCATION, HeaderValue::try_from(format!("{path}/")).ok()?);
        Some(response)
    }

    async fn read(&self, segments: &[Cow<'_, str>]) -> Option<Bytes> {
        if !self.folder.is_on_disk() {
            return self.folder.read(segments.iter().map(Cow::as_ref));
        }
        let folder = self.folder.clone();
        let segments: Vec<String> = segments.iter().map(|segment| segment.to_string()).collect();
        let read = move || folder.read(segments.iter().map(String::as_str));
        tokio::task::spawn_blocking(read).await.ok()?
    }

    fn answer(&self, name: &str, content: Bytes, asked: &HeaderMap, policy: &str) -> WholeResponse {
        let content_type = content_type(name);
        let page = content_type.starts_with("text/html").then(|| str::from_utf8(&content).ok());
        let scripts = page.flatten().map(sources_of_page).unwrap_or_default();
        let tag = tag(&content);
        let unchanged = header::elements(asked, IF_NONE_MATCH, b',').any(|known| {
            known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes()
        });
        let mut response = match unchanged {
            true => empty(StatusCode::NOT_MODIFIED),
            false => whole(StatusCode::OK, &content_type, content),
        };
        let headers = response.headers_mut();
        protect(headers, policy, &scripts);
        headers.insert(CACHE_CONTROL, self.cache_control());
        headers.insert(
            ETAG,
            HeaderValue::try_from(tag).expect("a tag is hexadecimal digits in quotes"),
        );
        if self.options.download {
            headers.insert(CONTENT_DISPOSITION, attachment(name));
        }
        response
    }

    fn cache_control(&self) -> HeaderValue {
        match self.options.cache_age.as_secs() {
            0 => HeaderValue::from_static("no-cache"),
            seconds => {
                HeaderValue::try_from(format!("max-age={seconds}")).expect("a number is ASCII")
            }
        }
    }
}

/// Returns a tag that identifies the content, in quotes.
fn tag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FILES: &[(&str, &[u8])] = &[
        ("a b.txt", b"text"),
        ("css/style.css", b"style"),
        ("docs/index.html", b"docs"),
        ("favicon.svg", b"svg"),
    ];

    fn public(prefix: &str, options: PublicOptions) -> Public {
        Public::new(prefix, Folder::embedded(FILES), options)
    }

    fn find(public: &Public, path: &str, headers: &HeaderMap) -> Option<WholeResponse> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(public.find(path, headers, "script-src {scripts}"))
    }

    #[track_caller]
    fn check(public: &Public, path: &str, expected: Option<(&str, &str)>) {
        let found = find(public, path, &HeaderMap::new()).map(|response| {
            let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
            (content_type, String::from_utf8(response.into_body().to_vec()).unwrap())
        });
        let expected =
            expected.map(|(content_type, body)| (content_type.to_owned(), body.to_owned()));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn files_appear_under_their_prefix() {
        let at_root = public("/", PublicOptions::default());
        check(&at_root, "/css/style.css", Some(("text/css; charset=utf-8", "style")));
        check(&at_root, "/a%20b.txt", Some(("text/plain; charset=utf-8", "text")));
        check(&at_root, "/favicon.svg", Some(("image/svg+xml", "svg")));
        let below = public("/static/files", PublicOptions::default());
        check(&below, "/static/files/css/style.css", Some(("text/css; charset=utf-8", "style")));
        check(&below, "/css/style.css", None);
        check(&below, "/static/files", None);
    }

    #[test]
    fn everything_else_is_not_there() {
        let public = public("/", PublicOptions::default());
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

    #[test]
    fn a_folder_is_answered_by_its_index() {
        let with_index = public("/", PublicOptions::default());
        check(&with_index, "/docs/", Some(("text/html; charset=utf-8", "docs")));
        let redirect = find(&with_index, "/docs", &HeaderMap::new()).unwrap();
        assert_eq!(
            (redirect.status().as_u16(), &redirect.headers()["location"]),
            (308, &"/docs/".parse().unwrap())
        );
        check(
            &public("/", PublicOptions { index: "", ..PublicOptions::default() }),
            "/docs/",
            None,
        );
    }

    #[test]
    fn a_file_that_did_not_change_is_not_sent_again() {
        let cached = public(
            "/",
            PublicOptions { cache_age: Duration::from_secs(60), ..PublicOptions::default() },
        );
        let first = find(&cached, "/favicon.svg", &HeaderMap::new()).unwrap();
        assert_eq!(first.headers()["cache-control"], "max-age=60");
        let tag = first.headers()["etag"].clone();
        for known in
            [tag.to_str().unwrap().to_owned(), format!("\"x\", W/{}", tag.to_str().unwrap())]
        {
            let asked = HeaderMap::from_iter([(IF_NONE_MATCH, known.parse().unwrap())]);
            let again = find(&cached, "/favicon.svg", &asked).unwrap();
            assert_eq!(
                (again.status().as_u16(), again.body().len(), &again.headers()["etag"]),
                (304, 0, &tag)
            );
        }
        let other = HeaderMap::from_iter([(IF_NONE_MATCH, "\"x\"".parse().unwrap())]);
        assert_eq!(find(&cached, "/favicon.svg", &other).unwrap().status(), 200);
    }

    #[test]
    fn files_may_be_for_download() {
        let public = public("/", PublicOptions { download: true, ..PublicOptions::default() });
        let file = find(&public, "/a%20b.txt", &HeaderMap::new()).unwrap();
        assert_eq!(
            file.headers()["content-disposition"],
            "attachment; filename*=UTF-8''a%20b%2Etxt"
        );
        assert_eq!(file.headers()["cache-control"], "no-cache");
    }

    #[test]
    fn pages_run_the_scripts_they_were_written_with() {
        const FILES: &[(&str, &[u8])] =
            &[("index.html", b"<script src=//cdn.example/x.js></script>"), ("style.css", b"")];
        let public = Public::new("/", Folder::embedded(FILES), PublicOptions::default());
        for (path, policy) in [("/", "script-src cdn.example/x.js"), ("/style.css", "script-src ")]
        {
            let file = find(&public, path, &HeaderMap::new()).unwrap();
            assert_eq!(file.headers()["content-security-policy"], policy);
            assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        }
    }
}
