//! The standard's rules for a handshake (RFC 6455, section 4.2.1), read from
//! its bytes without any code of the server.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};
use percent_encoding::percent_decode_str;
use tungstenite::handshake::derive_accept_key;

use super::wire::{PATH, Verdict};
use crate::http::handshake::{accept, is_upgrade};

/// The head of a request.
struct Head<'a> {
    method: &'a str,
    target: &'a str,
    version: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
}

/// Panics if the verdict on a stream differs from that of the standard or of
/// [`accept`].
pub(super) fn compare(stream: &[u8], verdict: &Verdict) {
    let head = Head::parse(stream);
    let key = head.as_ref().and_then(Head::accepted_key);
    match (verdict, key) {
        (Verdict::Opened { accept, .. }, Some(key)) => {
            assert_eq!(accept, &derive_accept_key(key));
        }
        (Verdict::Opened { .. }, None) => panic!("this is no handshake"),
        (Verdict::Refused { .. } | Verdict::Waits, Some(_)) => panic!("this is a handshake"),
        // The request may be longer than hyper takes.
        _ => {}
    }
    // A request that hyper refuses doesn't come that far.
    if let (Verdict::Opened { .. } | Verdict::Refused { .. }, Some(head)) = (verdict, head) {
        head.compare_with_function(verdict);
    }
}

impl<'a> Head<'a> {
    /// Reads a head up to its empty line; `None` if it has none or is no HTTP/1.
    fn parse(stream: &'a [u8]) -> Option<Head<'a>> {
        let mut lines = stream
            .split_inclusive(|byte| *byte == b'\n')
            .map_while(|line| line.strip_suffix(b"\n"))
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .skip_while(|line| line.is_empty());
        let mut words = str::from_utf8(lines.next()?).ok()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte > b' ');
        if words.next().is_some() || !is_token(method) || !is_visible(target) {
            return None;
        }
        let mut headers = Vec::new();
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                return Some(Head { method, target, version, headers });
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]);
            let is_allowed = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
            if !is_token(name) || !value.iter().all(is_allowed) {
                return None;
            }
            headers.push((name, value.trim_ascii()));
        }
    }

    /// Returns the key, if this is a handshake for [`PATH`].
    fn accepted_key(&self) -> Option<&'a [u8]> {
        let key = self.single("Sec-WebSocket-Key")?;
        let is_accepted = self.method == "GET"
            && self.version == "HTTP/1.1"
            && self.is_for_path()
            && self.single("Host").is_some_and(|host| !host.is_empty())
            && self.has_item("Upgrade", "websocket")
            && self.has_item("Connection", "upgrade")
            && self.single("Sec-WebSocket-Version") == Some(b"13")
            && is_base64_of_16_bytes(key)
            // Otherwise the body could be taken for frames, which the standard
            // doesn't mention.
            && self.values("Transfer-Encoding").next().is_none()
            && self.values("Content-Length").all(|length| length == b"0");
        is_accepted.then_some(key)
    }

    fn is_for_path(&self) -> bool {
        // First, as an authority ends there, too (RFC 3986, section 3.2).
        let target = self.target.split(['?', '#']).next().unwrap_or_default();
        let path = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
            None => target,
        };
        let segment = path.strip_prefix('/').map(|path| path.strip_suffix('/').unwrap_or(path));
        segment.is_some_and(|segment| percent_decode_str(segment).eq(PATH[1..].bytes()))
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let same = move |(other, value): &(&str, &'a [u8])| {
            other.eq_ignore_ascii_case(name).then_some(*value)
        };
        self.headers.iter().filter_map(same)
    }

    fn single(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    fn has_item(&self, name: &str, item: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|other| other.trim_ascii().eq_ignore_ascii_case(item.as_bytes()))
    }

    /// Panics if the plain function comes to another verdict.
    fn compare_with_function(&self, verdict: &Verdict) {
        let method: Method = self.method.parse().expect("hyper took it");
        let version = if self.version == "HTTP/1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(*name).expect("hyper took it");
            headers.append(name, HeaderValue::from_bytes(value).expect("hyper took it"));
        }
        let accepted = accept(&method, version, &headers);
        match verdict {
            Verdict::Opened { .. } => assert_eq!(accepted.err(), None),
            Verdict::Refused { status, sentence } if self.is_for_path() && is_upgrade(&headers) => {
                let reason = accepted.expect_err("it was refused");
                assert_eq!(*status, reason.response().status());
                let expected =
                    if method == Method::HEAD { String::new() } else { reason.to_string() };
                assert_eq!(*sentence, expected);
            }
            _ => assert!(accepted.is_err() || !self.is_for_path()),
        }
    }
}

fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

fn is_base64_of_16_bytes(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    key.len() == 24 && key[..22].iter().all(is_digit) && key.ends_with(b"==")
}
