//! Public files: static files, served as they are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue,
    IF_NONE_MATCH,
};
use http::{HeaderMap, StatusCode};
use pode_core::route_table;
use tokio::task::spawn_blocking;
use warp::Reply;
use warp::reply::Response;

use crate::content::folder::{Folder, FolderFile, Version, path_of};
use crate::http::content_security_policy::{protect, sources_of_page};
use crate::http::header;
use crate::http::response::{attachment, content_type, empty, redirection};

/// How much of a file on disk is in memory at once while it is sent.
const CHUNK_BYTES: u64 = 64 << 10;

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
    /// The headers of files that were requested, by their path; for those on
    /// disk in this version.
    headers: Arc<Mutex<HeadersByPath>>,
}

type HeadersByPath = HashMap<String, (Option<Version>, HeaderMap)>;

impl Public {
    /// `prefix` is a path without parameters; `/` puts the files at the root.
    pub(crate) fn new(prefix: &str, folder: Folder, options: PublicOptions) -> Public {
        let segments = prefix.split('/').filter(|segment| !segment.is_empty());
        let prefix = segments.map(str::to_owned).collect();
        Public { prefix, folder, options, headers: Arc::default() }
    }

    /// Answers with the file that a path, in its encoded form, refers to;
    /// `None` if there is none. The query goes along with a redirect.
    ///
    /// `policy` is the Content-Security-Policy of pages, always the same.
    pub(crate) async fn find(
        &self,
        path: &str,
        query: &str,
        asked: &HeaderMap,
        policy: &'static str,
    ) -> Option<Response> {
        let segments = route_table::split(path)?;
        let below = segments.get(self.prefix.len()..)?;
        if self.prefix.iter().zip(&segments).any(|(wanted, found)| wanted != found) {
            return None;
        }
        if !path.ends_with('/')
            && let Some((file, headers)) = self.open(below, policy).await
        {
            return Some(answer(file, headers, asked));
        }
        if self.options.index.is_empty() {
            return None;
        }
        let index = [below, &[Cow::Borrowed(self.options.index)]].concat();
        let (file, headers) = self.open(&index, policy).await?;
        if path.ends_with('/') {
            return Some(answer(file, headers, asked));
        }
        // Without the slash, the page's relative links would lead elsewhere.
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let location = HeaderValue::try_from(format!("{path}/{query}")).ok()?;
        Some(redirection(StatusCode::PERMANENT_REDIRECT, location).into_response())
    }

    /// Opens a file, and returns the headers with which it is sent, too.
    async fn open(
        &self,
        segments: &[Cow<'_, str>],
        policy: &'static str,
    ) -> Option<(FolderFile, HeaderMap)> {
        let path = path_of(segments.iter().map(Cow::as_ref))?;
        let public = self.clone();
        let open = move || {
            let mut file = public.folder.open(&path)?;
            let headers = public.headers(path, &mut file, policy)?;
            Some((file, headers))
        };
        if self.folder.is_on_disk() { spawn_blocking(open).await.ok()? } else { open() }
    }

    /// Returns the headers of a file, which are made again only if it changed.
    fn headers(&self, path: String, file: &mut FolderFile, policy: &str) -> Option<HeaderMap> {
        // No code panics while it holds the lock.
        let known = || self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, headers)) = known().get(&path)
            && *version == file.version()
        {
            return Some(headers.clone());
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let content_type = content_type(name);
        let page = if content_type.starts_with("text/html") { file.read()? } else { Bytes::new() };
        let scripts = str::from_utf8(&page).map(sources_of_page).unwrap_or_default();
        let mut headers = HeaderMap::new();
        protect(&mut headers, policy, &scripts);
        headers.extend([(CACHE_CONTROL, self.cache_control()), (ETAG, tag(file))]);
        headers.insert(CONTENT_LENGTH, file.bytes().into());
        headers.extend(HeaderValue::try_from(content_type).ok().map(|it| (CONTENT_TYPE, it)));
        if self.options.download {
            headers.insert(CONTENT_DISPOSITION, attachment(name));
        }
        known().insert(path, (file.version(), headers.clone()));
        Some(headers)
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

/// Answers with a file, or tells a client that it has this file already.
fn answer(file: FolderFile, headers: HeaderMap, asked: &HeaderMap) -> Response {
    let tag = headers.get(ETAG).map(HeaderValue::as_bytes);
    let unchanged = header::elements(asked, IF_NONE_MATCH, b',')
        .any(|known| known == b"*" || tag == Some(known.strip_prefix(b"W/").unwrap_or(known)));
    let mut response = match file {
        _ if unchanged => empty(StatusCode::NOT_MODIFIED).into_response(),
        FolderFile::Embedded(content) => Response::new(Bytes::from_static(content).into()),
        FolderFile::Disk(file, version) => chunks(file, version.bytes),
    };
    *response.headers_mut() = headers;
    if unchanged {
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// Answers with this many bytes of a file, each of which is read when the
/// client takes it. A file that has become shorter ends the connection.
fn chunks(file: fs::File, bytes: u64) -> Response {
    let chunks = try_unfold((file, bytes), |(mut file, left)| async move {
        let read = move || {
            let mut chunk = Vec::new();
            file.by_ref().take(left.min(CHUNK_BYTES)).read_to_end(&mut chunk)?;
            io::Result::Ok((Bytes::from(chunk), file))
        };
        if left == 0 {
            return Ok(None);
        }
        let (chunk, file) = spawn_blocking(read).await??;
        let left = left - chunk.len() as u64;
        if left > 0 && chunk.len() as u64 != CHUNK_BYTES {
            return Err(io::Error::from(ErrorKind::UnexpectedEof));
        }
        Ok(Some((chunk, (file, left))))
    });
    warp::reply::stream(chunks).into_response()
}

/// Returns a tag that identifies a file's content, in quotes.
fn tag(file: &FolderFile) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    match file {
        FolderFile::Embedded(content) => hasher.write(content),
        FolderFile::Disk(_, version) => version.hash(&mut hasher),
    }
    HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish()))
        .expect("a tag is hexadecimal digits in quotes")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::path::PathBuf;
    use std::time::Duration;

    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::watch;

    use super::*;
    use crate::http::serve::{ServeOptions, serve};
    use crate::net::listen::bind;

    const FILES: &[(&str, &[u8])] = &[
        ("a b.txt", b"text"),
        ("css/style.css", b"style"),
        ("docs/index.html", b"docs"),
        ("favicon.svg", b"svg"),
    ];

    fn public(prefix: &str, options: PublicOptions) -> Public {
        Public::new(prefix, Folder::embedded(FILES), options)
    }

    const POLICY: &str = "script-src {scripts}";

    fn find(public: &Public, path: &str, headers: &HeaderMap) -> Option<http::Response<Bytes>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (head, body) = public.find(path, "", headers, POLICY).await?.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Some(http::Response::from_parts(head, body))
        })
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

    /// A public folder of a test's own, on disk.
    fn on_disk(name: &str) -> (PathBuf, Public) {
        let path = std::env::temp_dir().join(format!("pode-public-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        let public = Public::new("/", Folder::on_disk(&path), PublicOptions::default());
        (path, public)
    }

    #[test]
    fn a_file_on_disk_is_read_for_its_headers_only_when_it_changed() {
        let (path, public) = on_disk("changes");
        let page = path.join("page.html");
        let modified = std::time::SystemTime::now();
        let write = |site: &str, modified| {
            fs::write(&page, format!("<script src=//{site}.example></script>")).unwrap();
            fs::File::options().write(true).open(&page).unwrap().set_modified(modified).unwrap();
        };
        let known = |headers: &HeaderMap| {
            let found = find(&public, "/page.html", headers).unwrap();
            let policy = found.headers()["content-security-policy"].to_str().unwrap().to_owned();
            (found.status().as_u16(), policy, found.headers()["etag"].clone())
        };
        write("a", modified);
        let (status, policy, tag) = known(&HeaderMap::new());
        assert_eq!((status, policy.as_str()), (200, "script-src a.example"));
        let asked = HeaderMap::from_iter([(IF_NONE_MATCH, tag)]);
        // Whoever writes as much at the same time isn't noticed.
        write("b", modified);
        let (status, policy, _) = known(&asked);
        assert_eq!((status, policy.as_str()), (304, "script-src a.example"));
        for (site, modified) in [("bc", modified), ("d", modified + Duration::from_millis(1))] {
            write(site, modified);
            let (status, policy, _) = known(&asked);
            assert_eq!((status, policy), (200, format!("script-src {site}.example")));
        }
        fs::remove_dir_all(path).unwrap();
    }

    const LARGE: u64 = 200 << 20;

    #[tokio::test]
    async fn a_large_file_is_never_in_memory_as_a_whole() {
        let (path, public) = on_disk("large");
        fs::File::create(path.join("large")).unwrap().set_len(LARGE).unwrap();
        let found = public.find("/large", "", &HeaderMap::new(), POLICY).await.unwrap();
        assert_eq!(found.headers()["content-length"], LARGE.to_string());
        let (mut body, mut sent) = (found.into_body(), 0);
        while let Some(chunk) = body.frame().await {
            let bytes = chunk.unwrap().into_data().unwrap().len() as u64;
            assert!(bytes <= CHUNK_BYTES, "{bytes}");
            sent += bytes;
        }
        assert_eq!(sent, LARGE);
        // An empty file has no chunk.
        fs::File::create(path.join("empty")).unwrap();
        let found = public.find("/empty", "", &HeaderMap::new(), POLICY).await.unwrap();
        assert!(found.into_body().frame().await.is_none());
        fs::remove_dir_all(path).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_cut_while_a_slow_client_reads_ends_the_connection() {
        let (path, public) = on_disk("cut");
        let file = fs::File::create(path.join("large")).unwrap();
        file.set_len(LARGE).unwrap();
        let listener = bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(None);
        let service = move |_, _| {
            let public = public.clone();
            async move {
                let found = public.find("/large", "", &HeaderMap::new(), POLICY).await;
                Ok::<_, Infallible>(found.unwrap())
            }
        };
        tokio::spawn(serve(listener, None, ServeOptions::default(), service, stopping));

        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 15];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        file.set_len(0).unwrap();
        // What the server and the system hold by now is far less than the file.
        let mut rest = Vec::new();
        _ = client.read_to_end(&mut rest).await;
        assert!((rest.len() as u64) < LARGE / 2, "{}", rest.len());
        drop(stop);
        fs::remove_dir_all(path).unwrap();
    }
}
