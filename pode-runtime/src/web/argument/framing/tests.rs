//! Bodies in chunks of any size, each of which has to be waited for.
//!
//! With many more random ones: `PROPTEST_CASES=1000000 cargo test -p pode-runtime framing`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;

use futures_util::{FutureExt, stream};
use proptest::prelude::*;

use super::*;

/// Headers as name and value, and content.
type Part = (Vec<(String, Vec<u8>)>, Vec<u8>);

/// What is read of a body: its parts, and why it is refused. Of a part that
/// is refused midway, what came before.
type Outcome = (Vec<Part>, Option<(u16, String)>);

/// A body in chunks, each of which has to be waited for.
struct Trickle {
    framing: Framing,
    taken: Arc<AtomicUsize>,
    longest: usize,
}

impl Trickle {
    fn new(body: &[u8], sizes: &[usize]) -> Trickle {
        let (mut rest, mut sizes) = (body, sizes.iter().cycle());
        let mut chunks = VecDeque::new();
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            chunks.push_back(Bytes::copy_from_slice(chunk));
            rest = behind;
        }
        let longest = chunks.iter().map(Bytes::len).max().unwrap_or_default();
        let (taken, mut waits) = (Arc::new(AtomicUsize::new(0)), false);
        let counted = Arc::clone(&taken);
        let chunks = stream::poll_fn(move |_| {
            waits = !waits;
            if waits {
                return Poll::Pending;
            }
            counted.fetch_add(1, Relaxed);
            Poll::Ready(chunks.pop_front().map(Ok))
        });
        Trickle { framing: Framing::new(Box::pin(chunks), b"XX", usize::MAX), taken, longest }
    }

    /// Polls until there is an answer, each time with a new future: one that
    /// is dropped must lose nothing. Whatever is waited for, the chunk in hand
    /// was used up, and no more is kept of it than headers.
    fn wait<T>(
        &mut self,
        mut ask: impl AsyncFnMut(&mut Framing) -> Result<T, EventError>,
    ) -> Result<T, EventError> {
        loop {
            let answer = ask(&mut self.framing).now_or_never();
            assert!(self.framing.head.len() <= MAX_BYTES);
            assert!(self.framing.seen <= self.framing.delimiter.len());
            match answer {
                Some(answer) => {
                    assert!(self.framing.rest.len() <= self.longest);
                    return answer;
                }
                None => assert_eq!(self.framing.rest, b""[..]),
            }
        }
    }

    fn read(mut self) -> Outcome {
        let mut parts = Vec::new();
        let refused = self.read_into(&mut parts).err();
        if let Some(error) = &refused {
            // It stays refused.
            assert_eq!(self.wait(Framing::next).unwrap_err(), *error);
            assert_eq!(self.wait(async |it| it.chunk(1).await).unwrap_err(), *error);
        }
        (parts, refused.map(|error| (error.status().as_u16(), error.to_string())))
    }

    fn read_into(&mut self, parts: &mut Vec<Part>) -> Result<(), EventError> {
        while let Some((number, headers)) = self.wait(Framing::next)? {
            assert_eq!(number, parts.len() + 1);
            let headers = headers.iter();
            let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().into()));
            parts.push((headers.collect(), Vec::new()));
            while let Some(chunk) = self.wait(async |it| it.chunk(number).await)? {
                assert!(!chunk.is_empty());
                parts[number - 1].1.extend_from_slice(&chunk);
            }
            assert_eq!(self.wait(async |it| it.chunk(number).await)?, None);
        }
        assert!(self.wait(Framing::next)?.is_none());
        Ok(())
    }
}

fn whole(body: &[u8]) -> Outcome {
    Trickle::new(body, &[usize::MAX]).read()
}

/// The first header's value and the content of each part, or why the body is
/// refused, without `multipart: `.
type Expected<'text> = Result<&'text [(Option<&'text str>, &'text str)], (u16, &'text str)>;

/// Checks what is read of a body, whole and a byte at a time.
#[track_caller]
fn check(body: impl AsRef<[u8]>, expected: Expected<'_>) {
    let body = body.as_ref();
    let shown = body[..body.len().min(200)].escape_ascii();
    let outcome = whole(body);
    assert_eq!(Trickle::new(body, &[1]).read(), outcome, "{shown}");
    let (parts, refused) = outcome;
    let text = |bytes| str::from_utf8(bytes).expect("the texts of the tests");
    let parts: Vec<_> = parts
        .iter()
        .map(|(headers, content)| (headers.first().map(|(_, value)| text(value)), text(content)))
        .collect();
    match (expected, refused) {
        (Ok(expected), None) => assert_eq!(parts, expected, "{shown}"),
        (Err((status, sentence)), Some(refused)) => {
            assert_eq!(refused, (status, format!("multipart: {sentence}")), "{shown}");
        }
        (_, refused) => panic!("{refused:?}: {shown}"),
    }
}

#[test]
fn a_form_without_parts_is_one() {
    check("--XX--", Ok(&[]));
    check("--XX--\r\n", Ok(&[]));
    check("\r\n--XX--", Ok(&[]));
    check("--XX\r\n\r\n--XX--\r\n", Ok(&[]));
    check("--XX\r\n\r\n--XX \r\nA: a\r\n\r\nx\r\n--XX--", Ok(&[(Some("a"), "x")]));
}

#[test]
fn a_part_needs_neither_headers_nor_content() {
    check("--XX\r\n\r\nvalue\r\n--XX--", Ok(&[(None, "value")]));
    check("--XX\r\n\r\n\r\n--XX--", Ok(&[(None, "")]));
    check("--XX\r\n\r\n--X\r\n--XX--", Ok(&[(None, "--X")]));
    check("--XX\r\nA: a\r\n\r\n\r\n--XX--", Ok(&[(Some("a"), "")]));
    check("--XX\r\nA: a\r\n\r\n--XX--", Ok(&[(Some("a"), "")]));
    check("--XX\r\nA: a\r\n\r\n--X\r\n--XX--", Ok(&[(Some("a"), "--X")]));
    check("--XX\r\nA:\r\n\r\n\r\n\r\n--XX--", Ok(&[(Some(""), "\r\n")]));
}

#[test]
fn what_belongs_to_no_part_is_skipped() {
    check(
        "before\r\n--X\r\n --XX--\r\n--XX \t \r\nA: a\r\n\r\n-\n--XX\r\n--XX--after\r\n--XX\r\n",
        Ok(&[(Some("a"), "-\n--XX")]),
    );
    check(
        "a--XX\r\n--XX\r\nA: b\r\n \tc\r\nB: d\r\n\r\n-\r\n--XX--",
        Ok(&[(Some("b   \tc"), "-")]),
    );
}

#[test]
fn what_is_wrong_is_told() {
    let none = "the boundary that the content type names isn't in the body";
    for body in ["", "nothing", "--", "--X", "--YY\r\n\r\n\r\n--YY--", "a--XX--", "\n--XX--"] {
        check(body, Err((400, none)));
    }
    let no_last = "the body ends before its last boundary, which two hyphens follow";
    for body in
        ["--XX", "--XX-", "--XX ", "--XX\r\n", "--XX\r\nA: b\r\n", "--XX\r\n\r\n\r\n--XX\r\n"]
    {
        check(body, Err((400, no_last)));
    }
    for body in ["--XX\r\n\r\n", "--XX\r\nA: b\r\n\r\nfile", "--XX\r\n\r\na\r\n--X"] {
        check(body, Err((400, "a part ends early")));
    }
    for body in ["--XXX\r\n\r\n\r\n--XX--", "--XX -\r\n", "--XX\rA", "--XX- -", "--XX\0"] {
        check(body, Err((400, "something follows a boundary in its line")));
    }
    let no_cr = "a line ends by LF alone; boundaries and headers end by CR LF";
    for body in ["--XX\n", "--XX \nA: b", "--XX\r\nA: b\n", "--XX\r\n\n", "--XX\r\nA: b\r\n\n"] {
        check(body, Err((400, no_cr)));
    }
    let no_header = "a line before a part's content isn't a header: a name, a colon, a value";
    for line in ["value", ": b", "A : b", " A: b", "A: \x07", "\u{e4}: b", "A: b\r\nvalue"] {
        check(format!("--XX\r\n{line}\r\n\r\n\r\n--XX--"), Err((400, no_header)));
    }
}

#[test]
fn everything_but_content_has_a_bound() {
    #[track_caller]
    fn last(body: impl Fn(usize) -> String, most: usize, sentence: &str) {
        assert_eq!(whole(body(most).as_bytes()).1, None);
        check(body(most + 1), Err((413, sentence)));
    }
    let outside = "more than 8192 bytes belong to no part";
    last(|most| format!("{}\r\n--XX--", "a".repeat(most)), 8192, outside);
    last(|most| format!("--XX--{}", "a".repeat(most)), 8192, outside);
    last(|most| format!("--XX{}\r\n\r\n\r\n--XX--", " ".repeat(most)), 8192, outside);
    last(|most| format!("a\r\n--XX \r\n\r\n\r\n--XX--{}", "a".repeat(most)), 8190, outside);
    let head = "the headers of a part are longer than 8192 bytes";
    last(|most| format!("--XX\r\nA: {}\r\n\r\n\r\n--XX--", "a".repeat(most)), 8185, head);
    let headers = "a part has more than 32 headers";
    last(|most| format!("--XX\r\n{}\r\n\r\n--XX--", "A: b\r\n".repeat(most)), 32, headers);
    let parts = "the form has more than 1000 parts";
    last(|most| format!("{}--XX--", "--XX\r\n\r\n\r\n".repeat(most)), 1000, parts);
    last(|most| format!("{}--XX--", "--XX\r\nA: b\r\n\r\n".repeat(most)), 1000, parts);
}

/// Were bytes searched more than once, or kept, a byte at a time would cost
/// the square of their number.
#[test]
fn a_byte_at_a_time_is_read_no_further_than_allowed() {
    for (begins, rest) in [
        ("", "a"),
        ("", "\r\n--X"),
        ("--XX", " "),
        ("--XX\r\n", "a"),
        ("--XX\r\n", "A: b\r\n"),
        ("--XX--", "\r\n--XX\r\n"),
    ] {
        let body = format!("{begins}{}", rest.repeat(100_000));
        let mut slow = Trickle::new(body.as_bytes(), &[1]);
        assert_eq!(slow.wait(Framing::next).unwrap_err().status(), 413, "{begins}{rest}");
        let taken = slow.taken.load(Relaxed);
        // Besides the last piece: a boundary that wasn't one.
        assert!(taken <= begins.len() + MAX_BYTES + rest.len(), "{taken} of {begins}{rest}");
    }
    // Content has no bound, and nothing of it is kept, which `wait` checks.
    for content in ["a", "\r", "\r\n--X", "\r\n--X\r\n--"] {
        let content = content.repeat(20_000);
        let body = format!("--XX\r\n\r\n{content}\r\n--XX--");
        let (parts, refused) = Trickle::new(body.as_bytes(), &[1]).read();
        assert_eq!((parts.len(), refused), (1, None));
        assert!(parts[0].1 == content.as_bytes());
    }
}

#[test]
fn a_body_has_its_own_bound() {
    let chunks = ["--XX\r\n\r\nvalue", "\r\n--XX--"];
    let long = chunks.concat().len();
    for (max_bytes, status) in [(long, None), (long - 1, Some(413))] {
        let chunks = stream::iter(chunks.map(|chunk| Ok(Bytes::from(chunk))));
        let mut framing = Framing::new(Box::pin(chunks), b"XX", max_bytes);
        assert_eq!(framing.next().now_or_never().unwrap().unwrap().unwrap().0, 1);
        let next = framing.next().now_or_never().unwrap();
        assert_eq!(next.err().map(|error| error.status().as_u16()), status);
    }
}

#[test]
fn a_part_is_skipped_when_the_next_is_asked_for() {
    let body = b"--XX\r\nA: a\r\n\r\none\r\n--XX\r\nA: b\r\n\r\ntwo\r\n--XX--";
    for size in [1, 7, 100] {
        let mut form = Trickle::new(body, &[size]);
        assert_eq!(form.wait(Framing::next).unwrap().unwrap().0, 1);
        assert_eq!(form.wait(Framing::next).unwrap().unwrap().1["a"], "b");
        let late = form.wait(async |it| it.chunk(1).await).unwrap_err();
        assert_eq!(late.status(), 500);
        assert!(form.wait(async |it| it.chunk(2).await).unwrap().is_some());
        assert!(form.wait(Framing::next).unwrap().is_none());
    }
}

/// Pieces of boundaries and what resembles them.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        12 => prop::sample::select(vec![
            "\r", "\n", "-", "X", "\r\n", "--", "\r\n--", "\r\n--X", "--XX", "\r\n--XY", "\r\r\n--",
            " ", "\t", ":", "a", "A: b\r\n", "\0",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..9),
        1 => (prop::sample::select(b"a -\r".to_vec()), 0..3_000_usize)
            .prop_map(|(byte, times)| vec![byte; times]),
    ];
    prop::collection::vec(fragment, 0..12).prop_map(|fragments| fragments.concat())
}

/// Anything that contains no delimiter.
fn content() -> impl Strategy<Value = Vec<u8>> {
    fragments().prop_map(|mut content| {
        content.splice(0..0, *b"\r\n");
        while let Some(at) = memchr::memmem::find(&content, b"\r\n--XX") {
            content.remove(at + 5);
        }
        content.split_off(2)
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![4 => 1..12_usize, 1 => 1..2_000_usize];
    prop::collection::vec(size, 1..9)
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let header = ("[A-Za-z-]{1,9}", "([!-~\u{e4}]([ -~\u{e4}]{0,20}[!-~\u{e4}])?)?");
    let header = header.prop_map(|(name, value)| (name.to_lowercase(), value.into_bytes()));
    let headers = prop::collection::btree_map("[a-z-]{1,9}", header, 0..4)
        .prop_map(|headers| headers.into_iter().map(|(name, (_, value))| (name, value)).collect());
    prop::collection::vec((headers, content()), 0..5)
}

proptest! {
    #[test]
    fn parts_are_read_as_they_were_sent_however_they_are_cut(
        preamble in content(),
        parts in parts(),
        padding in "[ \t]{0,9}",
        epilogue in fragments(),
        sizes in sizes(),
    ) {
        // All of it together stays below the bound.
        let (preamble, epilogue) = (preamble.get(..2_000), epilogue.get(..2_000));
        let mut body = preamble.map(|it| [it, b"\r\n"].concat()).unwrap_or_default();
        for (headers, content) in &parts {
            body.extend(format!("--XX{padding}\r\n").into_bytes());
            for (name, value) in headers {
                body.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
            }
            body.extend([b"\r\n", &content[..], b"\r\n"].concat());
        }
        body.extend([b"--XX--", epilogue.unwrap_or_default()].concat());
        prop_assert_eq!(Trickle::new(&body, &sizes).read(), (parts, None));
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(
        begins in prop::sample::select(vec!["", "--XX", "--XX\r\n", "--XX\r\nA: b\r\n\r\n", "--XX--"]),
        middle in prop::collection::vec((fragments(), 0..3_usize), 0..6),
        sizes in sizes(),
    ) {
        let mut body = begins.as_bytes().to_vec();
        for (fragments, boundary) in middle {
            body.extend(fragments);
            body.extend_from_slice([&b""[..], b"\r\n--XX", b"\r\n--XX\r\nA: b\r\n\r\n"][boundary]);
        }
        prop_assert_eq!(Trickle::new(&body, &sizes).read(), whole(&body));
    }
}
