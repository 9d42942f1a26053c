//! Public files: static files, served as they are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderValue,
};
use http::{HeaderMap, Method, StatusCode};
use pode_core::route_table;
use tokio::task::spawn_blocking;
use warp::Reply;
use warp::reply::Response;

use crate::base::log::ration::{Quoted, rationed};
use crate::content::file::{ContentFile, Version, answer};
use crate::content::folder::{Folder, path_of};
use crate::http::content_security_policy::{protect, sources_of_page};
use crate::http::response::{attachment, content_type, empty, redirection, sentence};

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

/// A file that a path refers to.
struct Found {
    file: ContentFile,
    headers: HeaderMap,
    /// Whether the path refers to its folder.
    is_index: bool,
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
        method: &Method,
        asked: &HeaderMap,
        policy: &'static str,
    ) -> Option<Response> {
        let segments = route_table::split(path)?;
        let below = segments.get(self.prefix.len()..)?;
        if self.prefix.iter().zip(&segments).any(|(wanted, found)| wanted != found) {
            return None;
        }
        let is_folder = path.ends_with('/');
        let found = match self.open_or_index(below, is_folder, policy).await {
            Ok(found) => found?,
            Err(error) => {
                rationed!(error, "cannot read {:?}: {error}", Quoted(path.as_bytes()));
                let text = "the file can't be read at the moment";
                return Some(sentence(StatusCode::SERVICE_UNAVAILABLE, text).into_response());
            }
        };
        if found.is_index && !is_folder {
            // Without the slash, the page's relative links would lead elsewhere.
            let query = if query.is_empty() { String::new() } else { format!("?{query}") };
            let location = HeaderValue::try_from(format!("{path}/{query}")).ok()?;
            return Some(redirection(StatusCode::PERMANENT_REDIRECT, location).into_response());
        }
        let (mut head, _) = empty(StatusCode::OK).into_parts();
        head.headers = found.headers;
        Some(answer(head, &found.file, method, asked))
    }

    /// Opens the file at these segments, unless they are to be a folder, or
    /// else the index of that folder.
    async fn open_or_index(
        &self,
        segments: &[Cow<'_, str>],
        is_folder: bool,
        policy: &'static str,
    ) -> io::Result<Option<Found>> {
        if !is_folder && let Some(found) = self.open(segments, policy).await? {
            return Ok(Some(found));
        }
        let index = [segments, &[Cow::Borrowed(self.options.index)]].concat();
        let found = self.open(&index, policy).await?;
        Ok(found.map(|found| Found { is_index: true, ..found }))
    }

    /// Opens a file, and returns the headers with which it is sent, too.
    async fn open(
        &self,
        segments: &[Cow<'_, str>],
        policy: &'static str,
    ) -> io::Result<Option<Found>> {
        let Some(path) = path_of(segments.iter().map(Cow::as_ref)) else {
            return Ok(None);
        };
        let public = self.clone();
        let open = move || {
            let Some(file) = public.folder.open(&path)? else {
                return Ok(None);
            };
            let headers = public.headers(path, &file, policy)?;
            Ok(Some(Found { file, headers, is_index: false }))
        };
        if self.folder.is_on_disk() { spawn_blocking(open).await? } else { open() }
    }

    /// Returns the headers of a file, which are made again only if it changed.
    fn headers(&self, path: String, file: &ContentFile, policy: &str) -> io::Result<HeaderMap> {
        // No code panics while it holds the lock.
        let known = || self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, headers)) = known().get(&path)
            && *version == file.version()
        {
            return Ok(headers.clone());
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let content_type = content_type(name);
        let page = if content_type.starts_with("text/html") { file.read()? } else { Bytes::new() };
        let scripts = str::from_utf8(&page).map(sources_of_page).unwrap_or_default();
        let mut headers = HeaderMap::new();
        protect(&mut headers, policy, &scripts);
        headers.extend([(CACHE_CONTROL, self.cache_control()), (ETAG, file.tag(&path))]);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.extend(HeaderValue::try_from(content_type).ok().map(|it| (CONTENT_TYPE, it)));
        if self.options.download {
            headers.insert(CONTENT_DISPOSITION, attachment(name));
        }
        known().insert(path, (file.version(), headers.clone()));
        Ok(headers)
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use http::header::IF_NONE_MATCH;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::watch;

    use super::*;
    #[cfg(unix)]
    use crate::base::log::Collected;
    use crate::content::file::CHUNK_BYTES;
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
            let (head, body) =
                public.find(path, "", &Method::GET, headers, POLICY).await?.into_parts();
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
            "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b%2Etxt"
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
        let found =
            public.find("/large", "", &Method::GET, &HeaderMap::new(), POLICY).await.unwrap();
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
        let found =
            public.find("/empty", "", &Method::GET, &HeaderMap::new(), POLICY).await.unwrap();
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
                let found =
                    public.find("/large", "", &Method::GET, &HeaderMap::new(), POLICY).await;
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

    #[cfg(unix)]
    const THIS_TEST: &str =
        "content::public::tests::a_file_that_lacks_only_a_descriptor_is_not_missing";

    /// In a process of its own, since it takes all descriptors.
    #[cfg(unix)]
    #[test]
    fn a_file_that_lacks_only_a_descriptor_is_not_missing() {
        use rustix::process::{Resource, Rlimit, setrlimit};

        const IS_ALONE: &str = "PODE_TEST_DESCRIPTORS";
        if std::env::var_os(IS_ALONE).is_none() {
            let alone = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", THIS_TEST, "--nocapture"])
                .env(IS_ALONE, "1")
                .output()
                .unwrap();
            assert!(alone.status.success(), "{alone:?}");
            assert!(String::from_utf8_lossy(&alone.stdout).contains("1 passed"), "{alone:?}");
            return;
        }

        let (path, public) = on_disk("descriptors");
        fs::write(path.join("file"), "content").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let status = |path| {
            let asked = HeaderMap::new();
            let found = runtime.block_on(public.find(path, "", &Method::GET, &asked, POLICY));
            found.map(|found| found.status().as_u16())
        };
        let (log, _guard) = Collected::begin();
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
        let taken: Vec<fs::File> =
            std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        assert_eq!((status("/file"), status("/missing")), (Some(503), None));
        assert_eq!(log.text().matches("ERROR cannot read \"/file\": ").count(), 1);
        drop(taken);
        assert_eq!(status("/file"), Some(200));
        fs::remove_dir_all(path).unwrap();
    }
}
