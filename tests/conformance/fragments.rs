//! Messages in several frames (section 5.4).

use crate::client::*;
use crate::start;
use crate::wire::{Heard, check};

/// A description, the frames that are sent, and the frames that are received.
type Row<'a> = (&'a str, &'a [Vec<u8>], &'a [Heard]);

/// "A fragmented message consists of a single frame with the FIN bit clear …,
/// followed by zero or more frames with the FIN bit clear and the opcode set to
/// 0, and terminated by a single frame with the FIN bit set and an opcode of 0."
#[tokio::test]
async fn a_message_is_the_sum_of_its_fragments() {
    let server = start().await;
    let rows: &[(&str, &[&[u8]])] = &[
        ("two", &[b"hello, ", b"you"]),
        ("three", &[b"h", b"i", b"!"]),
        ("an empty first", &[b"", b"hi"]),
        ("an empty last", &[b"hi", b""]),
        ("an empty one between", &[b"h", b"", b"i"]),
        ("nothing but empty ones", &[b"", b"", b""]),
        ("many", &[&b"a"[..]; 40]),
        ("lengths of all forms", &[&[b'a'; 125], &[b'b'; 126], &[b'c'; 65_536], b"d"]),
    ];
    for (what, parts) in rows {
        for (first, is_text) in [(TEXT_BEGINS, true), (BINARY_BEGINS, false)] {
            let sent = fragments(first, parts);
            let whole = parts.concat();
            let heard =
                if is_text { text(String::from_utf8(whole).unwrap()) } else { binary(&whole) };
            check(&server, "/echo", what, &[sent.clone(), sent].concat(), &[heard.clone(), heard])
                .await;
        }
    }
}

fn fragments(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let (last, before) = parts.split_last().unwrap();
    let mut bytes = Vec::new();
    for (number, part) in before.iter().enumerate() {
        bytes.extend(frame(if number == 0 { first } else { GOES_ON }, part));
    }
    bytes.extend(frame(ENDS, last));
    bytes
}

/// "Control frames MAY be injected in the middle of a fragmented message", and
/// are answered before the message is complete.
#[tokio::test]
async fn control_frames_may_stand_between_fragments() {
    let server = start().await;
    let rows: &[Row] = &[
        (
            "a ping",
            &[frame(TEXT_BEGINS, b"a"), frame(PING, b"1"), frame(ENDS, b"b")],
            &[pong(b"1"), text("ab")],
        ),
        (
            "pings behind each",
            &[
                frame(BINARY_BEGINS, b"a"),
                frame(PING, b"1"),
                frame(GOES_ON, b"b"),
                frame(PING, b"2"),
                frame(PING, b"3"),
                frame(ENDS, b"c"),
            ],
            &[pong(b"1"), pong(b"2"), pong(b"3"), binary(b"abc")],
        ),
        (
            "a pong",
            &[frame(TEXT_BEGINS, b"a"), frame(PONG, b"1"), frame(ENDS, b"b")],
            &[text("ab")],
        ),
        (
            "a close",
            &[frame(TEXT_BEGINS, b"a"), close(1000, b""), frame(ENDS, b"b")],
            &[closed(1000)],
        ),
        ("a ping, and no end", &[frame(TEXT_BEGINS, b"a"), frame(PING, b"1")], &[pong(b"1")]),
    ];
    for (what, sent, heard) in rows {
        check(&server, "/echo", what, &sent.concat(), heard).await;
    }
}

/// "The fragments of one message MUST NOT be interleaved between the fragments
/// of another message", and a continuation needs a message to continue.
#[tokio::test]
async fn fragments_out_of_turn_are_refused() {
    let server = start().await;
    let rows: &[Row] = &[
        ("a last one of nothing", &[frame(ENDS, b"a")], &[]),
        ("one in the middle of nothing", &[frame(GOES_ON, b"a")], &[]),
        ("an empty one of nothing", &[frame(ENDS, b"")], &[]),
        ("one behind a whole message", &[frame(TEXT, b"a"), frame(ENDS, b"b")], &[text("a")]),
        (
            "one behind the end",
            &[frame(TEXT_BEGINS, b"a"), frame(ENDS, b"b"), frame(GOES_ON, b"c")],
            &[text("ab")],
        ),
        ("a text in a text", &[frame(TEXT_BEGINS, b"a"), frame(TEXT, b"b")], &[]),
        ("bytes in a text", &[frame(TEXT_BEGINS, b"a"), frame(BINARY, b"b")], &[]),
        ("a text in bytes", &[frame(BINARY_BEGINS, b"a"), frame(TEXT, b"b")], &[]),
        ("two that begin", &[frame(BINARY_BEGINS, b"a"), frame(BINARY_BEGINS, b"b")], &[]),
        (
            "a text behind a fragment and a ping",
            &[frame(TEXT_BEGINS, b"a"), frame(PING, b"1"), frame(TEXT, b"b")],
            &[pong(b"1")],
        ),
    ];
    for (what, sent, heard) in rows {
        let heard = [*heard, &[closed(1002)]].concat();
        check(&server, "/echo", what, &sent.concat(), &heard).await;
    }
}
