//! One file and the answers with it: whole, in part, or not at all, as the
//! conditions of a request say (RFC 9110, sections 13 and 14).
//!
//! A file on disk is read piece by piece while the client takes it. It is
//! recognized by an entity tag, and has no date: `If-Modified-Since` and
//! `If-Unmodified-Since` are ignored then, as the RFC demands, and a date in
//! `If-Range` is never the file's.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH,
    IF_NONE_MATCH, IF_RANGE,
};
use http::response::Parts;
use http::{HeaderMap, Method, StatusCode};
use tokio::task::spawn_blocking;
use warp::Reply;
use warp::reply::Response;

use crate::http::header;
use crate::http::range::{Requested, requested};
use crate::http::response::sentence;

/// How much of a file on disk is in memory at once while it is sent.
pub(super) const CHUNK_BYTES: u64 = 64 << 10;

/// A file to answer with.
#[derive(Clone, Debug)]
pub(crate) enum ContentFile {
    Embedded(&'static [u8]),
    /// Clones share the place in the file, so it is set before each read.
    Disk(Arc<Mutex<fs::File>>, Version),
}

/// Differs from that of a file on disk before it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    bytes: u64,
    modified: SystemTime,
}

impl ContentFile {
    /// Opens a file on disk; what isn't a regular file is not found. Never
    /// waits for another program, but may wait for the disk.
    pub(crate) fn open(path: &Path) -> io::Result<ContentFile> {
        // A device may do something when it is opened.
        if !fs::metadata(path)?.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        let mut options = fs::File::options();
        // What is a pipe by now would otherwise wait for a writer.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
        let file = options.read(true).open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        let version = Version { bytes: about.len(), modified: about.modified()? };
        Ok(ContentFile::Disk(Arc::new(Mutex::new(file)), version))
    }

    /// Returns the length in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            ContentFile::Embedded(content) => content.len() as u64,
            ContentFile::Disk(_, version) => version.bytes,
        }
    }

    /// Returns `None` for a file that never changes.
    pub(super) fn version(&self) -> Option<Version> {
        match self {
            ContentFile::Embedded(_) => None,
            ContentFile::Disk(_, version) => Some(*version),
        }
    }

    /// Reads all of it.
    pub(super) fn read(&self) -> io::Result<Bytes> {
        match self {
            ContentFile::Embedded(content) => Ok(Bytes::from_static(content)),
            ContentFile::Disk(file, version) => read(file, 0..version.bytes),
        }
    }

    /// Returns a strong entity tag for the file's content under this name. It
    /// is the same in every process and every build, so that clients of a
    /// newer process keep what they have.
    pub(crate) fn tag(&self, name: &str) -> HeaderValue {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        match self {
            ContentFile::Embedded(content) => hash.update(content),
            ContentFile::Disk(_, version) => {
                let age = version.modified.duration_since(UNIX_EPOCH);
                let age = age.unwrap_or_else(|before| before.duration()).as_nanos();
                hash.update(format!("{} {age} {name}", version.bytes).as_bytes());
            }
        }
        let hash: [u8; 8] = hash.finish().as_ref()[..8].try_into().expect("a hash has 32 bytes");
        HeaderValue::try_from(format!("\"{:016x}\"", u64::from_be_bytes(hash)))
            .expect("a tag is hexadecimal digits in quotes")
    }
}

/// Whether an error of [`ContentFile::open`] says that there is no such file,
/// rather than that it can't be read.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    use ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    #[cfg(unix)]
    if error.raw_os_error() == Some(nix::libc::ELOOP) {
        return true;
    }
    // No name holds a NUL.
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

/// Whether an error of [`ContentFile::open`] says that the system has no descriptor
/// left for this process.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    #[cfg(unix)]
    return matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE));
    #[cfg(not(unix))]
    return false;
}

fn read(file: &Mutex<fs::File>, part: Range<u64>) -> io::Result<Bytes> {
    // Nothing panics while it is locked.
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(part.start))?;
    let mut bytes = Vec::new();
    let wanted = part.end - part.start;
    match Read::take(&mut *file, wanted).read_to_end(&mut bytes)? as u64 {
        read if read == wanted => Ok(bytes.into()),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Answers with a file, or the part of it that a request asks for, or tells a
/// client that it has this file already. `head` is that of the whole file, with
/// its tag.
pub(crate) fn answer(
    mut head: Parts,
    file: &ContentFile,
    method: &Method,
    asked: &HeaderMap,
) -> Response {
    let bytes = file.bytes();
    let mut part = 0..bytes;
    // Conditions are about what GET would get, if that succeeds.
    if head.status == StatusCode::OK && matches!(*method, Method::GET | Method::HEAD) {
        let tag = head.headers.get(ETAG).map(HeaderValue::as_bytes);
        // RFC 9110, section 13.2.2, gives the order.
        if asked.contains_key(IF_MATCH) && !names(asked, IF_MATCH, |known| is_same(tag, known)) {
            let text = "this is no longer the version that was asked for";
            return sentence(StatusCode::PRECONDITION_FAILED, text).into_response();
        }
        if names(asked, IF_NONE_MATCH, |known| tag.map(opaque) == Some(opaque(known))) {
            head.status = StatusCode::NOT_MODIFIED;
            head.headers.remove(CONTENT_TYPE);
            return http::Response::from_parts(head, Bytes::new().into());
        }
        let may_be_part = *method == Method::GET
            && asked.get(IF_RANGE).is_none_or(|known| is_same(tag, known.as_bytes()));
        let requested = if may_be_part { requested(asked, bytes) } else { Requested::Whole };
        let range = |range| HeaderValue::try_from(range).expect("numbers are ASCII");
        match requested {
            Requested::Whole => {}
            Requested::Part(asked) => {
                let Range { start, end } = asked;
                let value = range(format!("bytes {start}-{}/{bytes}", end - 1));
                head.headers.insert(CONTENT_RANGE, value);
                head.status = StatusCode::PARTIAL_CONTENT;
                part = asked;
            }
            Requested::Nothing => {
                let text = format!("the file has {bytes} bytes");
                let mut refused = sentence(StatusCode::RANGE_NOT_SATISFIABLE, &text);
                refused.headers_mut().insert(CONTENT_RANGE, range(format!("bytes */{bytes}")));
                return refused.into_response();
            }
        }
    }
    head.headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
    let body = match file {
        ContentFile::Embedded(content) => {
            Bytes::from_static(content).slice(part.start as usize..part.end as usize).into()
        }
        ContentFile::Disk(file, _) => chunks(Arc::clone(file), part).into_body(),
    };
    http::Response::from_parts(head, body)
}

/// Whether a header of conditions names any file, or one of these.
fn names(asked: &HeaderMap, name: HeaderName, is_meant: impl Fn(&[u8]) -> bool) -> bool {
    header::elements(asked, name, b',').any(|known| known == b"*" || is_meant(known))
}

/// The strong comparison of tags (RFC 9110, section 8.8.3.2).
fn is_same(tag: Option<&[u8]>, known: &[u8]) -> bool {
    tag == Some(known) && known.starts_with(b"\"")
}

/// Returns a tag as the weak comparison looks at it.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Answers with these bytes of a file, each of which is read when the client
/// takes it. A file that has become shorter ends the connection.
fn chunks(file: Arc<Mutex<fs::File>>, part: Range<u64>) -> Response {
    let chunks = try_unfold(part, move |part| {
        let file = Arc::clone(&file);
        async move {
            if part.is_empty() {
                return io::Result::Ok(None);
            }
            let next = part.end.min(part.start.saturating_add(CHUNK_BYTES));
            let chunk = spawn_blocking(move || read(&file, part.start..next)).await??;
            Ok(Some((chunk, next..part.end)))
        }
    });
    warp::reply::stream(chunks).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::{ACCEPT_RANGES, RANGE};
    use http_body_util::BodyExt;

    use super::*;

    const CONTENT: &[u8] = b"0123456789";
    const TAG: &str = "\"t\"";

    /// Files of the same content, embedded and on disk; the latter is deleted.
    fn both(name: &str) -> [ContentFile; 2] {
        let path = std::env::temp_dir().join(format!("pode-file-{name}-{}", std::process::id()));
        fs::write(&path, CONTENT).unwrap();
        let on_disk = ContentFile::open(&path).unwrap();
        fs::remove_file(path).unwrap();
        [ContentFile::Embedded(CONTENT), on_disk]
    }

    async fn answered(
        file: &ContentFile,
        method: Method,
        tag: &'static str,
        asked: &[(HeaderName, &str)],
    ) -> http::Response<Bytes> {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.headers.insert(ETAG, HeaderValue::from_static(tag));
        head.headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let asked = asked.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        let asked = HeaderMap::from_iter(asked);
        let (head, body) = answer(head, file, &method, &asked).into_parts();
        http::Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn a_client_gets_the_part_that_it_asks_for() {
        let part = || (RANGE, "bytes=2-4");
        for file in both("parts") {
            for (method, asked, status, range, body) in [
                (Method::GET, &[part()][..], 206, "bytes 2-4/10", "234"),
                (Method::GET, &[(RANGE, "bytes=-1")], 206, "bytes 9-9/10", "9"),
                (Method::GET, &[(RANGE, "bytes=0-")], 206, "bytes 0-9/10", "0123456789"),
                (
                    Method::GET,
                    &[(RANGE, "bytes=10-")],
                    416,
                    "bytes */10",
                    "the file has 10 bytes\n",
                ),
                (Method::GET, &[(RANGE, "bytes=0-1,3-4")], 200, "", "0123456789"),
                (Method::GET, &[(RANGE, "lines=0-1")], 200, "", "0123456789"),
                (Method::GET, &[part(), (IF_RANGE, TAG)], 206, "bytes 2-4/10", "234"),
                (Method::GET, &[part(), (IF_RANGE, "\"other\"")], 200, "", "0123456789"),
                (Method::GET, &[part(), (IF_RANGE, "W/\"t\"")], 200, "", "0123456789"),
                (
                    Method::GET,
                    &[part(), (IF_RANGE, "Sun, 06 Nov 1994 08:49:37 GMT")],
                    200,
                    "",
                    "0123456789",
                ),
                // Only GET has parts.
                (Method::HEAD, &[part()], 200, "", "0123456789"),
                (Method::POST, &[part()], 200, "", "0123456789"),
                (Method::GET, &[part(), (IF_NONE_MATCH, TAG)], 304, "", ""),
                (Method::HEAD, &[(IF_NONE_MATCH, "W/\"t\"")], 304, "", ""),
                (Method::POST, &[(IF_NONE_MATCH, TAG)], 200, "", "0123456789"),
                (Method::GET, &[(IF_MATCH, "\"other\", \"t\"")], 200, "", "0123456789"),
                (Method::GET, &[(IF_MATCH, "*"), part()], 206, "bytes 2-4/10", "234"),
                (
                    Method::GET,
                    &[(IF_MATCH, "W/\"t\""), (IF_NONE_MATCH, TAG), part()],
                    412,
                    "",
                    "this is no longer the version that was asked for\n",
                ),
            ] {
                let answer = answered(&file, method, TAG, asked).await;
                let found =
                    answer.headers().get(CONTENT_RANGE).map_or("", |it| it.to_str().unwrap());
                assert_eq!(
                    (answer.status().as_u16(), found, &answer.body()[..]),
                    (status, range, body.as_bytes()),
                    "{asked:?}"
                );
                if matches!(status, 200 | 206) {
                    assert_eq!(answer.headers()[CONTENT_LENGTH], body.len().to_string());
                }
            }
            // A weak tag, which a handler may have set, doesn't tell bytes apart.
            let asked = [part(), (IF_RANGE, "W/\"t\"")];
            let answer = answered(&file, Method::GET, "W/\"t\"", &asked).await;
            assert_eq!(answer.status(), 200);
        }
    }

    #[tokio::test]
    async fn clones_of_a_file_are_read_side_by_side() {
        let [_, file] = both("clones");
        let mut bodies = [0..10, 3..7].map(|part| match file.clone() {
            ContentFile::Disk(file, _) => chunks(file, part).into_body(),
            ContentFile::Embedded(_) => unreachable!(),
        });
        for (body, expected) in bodies.iter_mut().zip(["0123456789", "3456"]).rev() {
            assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
        }
    }

    /// A change of these would make all clients fetch everything anew.
    #[test]
    fn a_tag_is_the_same_in_every_process_and_build() {
        let [embedded, _] = both("tags");
        assert_eq!(embedded.tag("a.txt"), "\"84d89877f0d4041e\"");
        let path = std::env::temp_dir().join(format!("pode-file-tag-{}", std::process::id()));
        fs::write(&path, CONTENT).unwrap();
        let change = |modified| {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(modified).unwrap();
            ContentFile::open(&path).unwrap().tag("a.txt")
        };
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert_eq!(change(time), "\"973164ee04e30568\"");
        assert_ne!(change(time + Duration::from_millis(1)), change(time));
        assert_ne!(ContentFile::open(&path).unwrap().tag("b.txt"), change(time));
        fs::remove_file(path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_opened() {
        let folder = std::env::temp_dir().join(format!("pode-file-kinds-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status();
        assert!(pipe.unwrap().success());
        for path in [&folder, &folder.join("socket"), &folder.join("pipe"), Path::new("/dev/null")]
        {
            let error = ContentFile::open(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{path:?}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
