//! Texts are UTF-8 (sections 5.6 and 8.1), without exception.

use crate::client::*;
use crate::start;
use crate::wire::{Wire, check};

/// The first and the last character of each length, and the neighbours of the
/// surrogates.
const BORDERS: [&str; 12] = [
    "\0",
    "\x7f",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10000}",
    "\u{fffff}",
    "\u{10ffff}",
];

/// Byte sequences that no text may contain. Only the last byte of each shows
/// the error: the bytes before it could become a text.
const WRONG: [(&[u8], &str); 18] = [
    (b"\x80", "what only continues"),
    (b"\xbf", "the last of what only continues"),
    (b"\xc0", "a slash in two bytes, which begins so"),
    (b"\xc1", "the last of two bytes that need one"),
    (b"\xe0\x80", "a slash in three bytes"),
    (b"\xe0\x9f", "the last of three bytes that need two"),
    (b"\xf0\x80", "a slash in four bytes"),
    (b"\xf0\x8f", "the last of four bytes that need three"),
    (b"\xed\xa0", "the first surrogate"),
    (b"\xed\xbf", "the last surrogate"),
    (b"\xf4\x90", "what is beyond the last character"),
    (b"\xf5", "what would be further beyond"),
    (b"\xf8", "five bytes"),
    (b"\xfc", "six bytes"),
    (b"\xfe", "a byte that never stands"),
    (b"\xff", "another one"),
    (b"\xc3(", "two bytes whose second is missing"),
    (b"\xe2\x82(", "three bytes whose third is missing"),
];

/// Beginnings of characters.
const CUT_OFF: [&[u8]; 6] =
    [b"\xc3", b"\xdf", b"\xe2", b"\xe2\x82", b"\xf0\x9f\x99", b"\xf4\x8f\xbf"];

#[tokio::test]
async fn each_character_may_stand_in_a_text_and_be_cut_anywhere() {
    let server = start().await;
    for character in BORDERS {
        let whole = format!("a{character}z");
        let what = format!("{character:?}");
        check(&server, "/echo", &what, &frame(TEXT, whole.as_bytes()), &[text(&whole)]).await;
        for cut in 0..=whole.len() {
            let (head, tail) = whole.as_bytes().split_at(cut);
            let sent = [frame(TEXT_BEGINS, head), frame(GOES_ON, b""), frame(ENDS, tail)].concat();
            check(&server, "/echo", &what, &sent, &[text(&whole)]).await;
        }
    }
    let whole = BORDERS.concat();
    let mut sent: Vec<u8> = frame(TEXT_BEGINS, b"");
    sent.extend(whole.bytes().flat_map(|byte| frame(GOES_ON, &[byte])));
    sent.extend(frame(ENDS, b""));
    check(&server, "/echo", "each byte in its frame", &sent, &[text(&whole)]).await;
}

/// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the
/// byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail
/// the WebSocket Connection_", by 1007.
#[tokio::test]
async fn what_is_no_text_is_refused() {
    let server = start().await;
    for (wrong, what) in WRONG {
        let payload = [b"a", wrong, b"z"].concat();
        let sent = [frame(TEXT, "é".as_bytes()), frame(TEXT, &payload), frame(PING, b"")];
        check(&server, "/echo", what, &sent.concat(), &[text("é"), closed(1007)]).await;
        for cut in 0..=payload.len() {
            let (head, tail) = payload.split_at(cut);
            let sent = [frame(TEXT_BEGINS, head), frame(GOES_ON, b""), frame(ENDS, tail)].concat();
            check(&server, "/echo", what, &sent, &[closed(1007)]).await;
        }
    }
}

/// Not required by the standard: a client that sends invalid text is closed
/// before the message is complete, be it long or in fragments that never end.
#[tokio::test]
async fn what_is_no_text_is_refused_before_the_message_is_whole() {
    let server = start().await;
    for (wrong, what) in WRONG {
        let payload = [b"a", wrong].concat();
        let begun = part_of_frame(TEXT, &[126, 0x40, 0], [5, 6, 7, 8], &payload);
        check(&server, "/echo", what, &begun, &[closed(1007)]).await;
        check(&server, "/echo", what, &frame(TEXT_BEGINS, &payload), &[closed(1007)]).await;

        // Until its last byte it could become a text.
        let (last, could_be) = begun.split_last().unwrap();
        let mut wire = Wire::open(&server, "/echo").await;
        wire.send(could_be).await;
        wire.send(&[*last]).await;
        assert_eq!(wire.hear().await, closed(1007));
        wire.end().await;
    }
}

#[tokio::test]
async fn a_text_does_not_end_within_a_character() {
    let server = start().await;
    for cut_off in CUT_OFF {
        let payload = [b"a", cut_off].concat();
        let what = format!("{cut_off:x?}");
        check(&server, "/echo", &what, &frame(TEXT, &payload), &[closed(1007)]).await;
        let sent = [frame(TEXT_BEGINS, &payload), frame(ENDS, b"")].concat();
        check(&server, "/echo", &what, &sent, &[closed(1007)]).await;
        let sent = [frame(TEXT_BEGINS, b"a"), frame(ENDS, cut_off)].concat();
        check(&server, "/echo", &what, &sent, &[closed(1007)]).await;
        // As long as the message continues, the character may, too.
        check(&server, "/echo", &what, &frame(TEXT_BEGINS, &payload), &[]).await;
    }
}

/// Section 5.6: bytes are "arbitrary".
#[tokio::test]
async fn bytes_need_not_be_text() {
    let server = start().await;
    for (bytes, what) in WRONG {
        let sent = [frame(BINARY, bytes), frame(BINARY_BEGINS, bytes), frame(ENDS, b"")].concat();
        check(&server, "/echo", what, &sent, &[binary(bytes), binary(bytes)]).await;
    }
}
