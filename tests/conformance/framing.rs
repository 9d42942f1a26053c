//! Frames: lengths, masks, reserved bits and opcodes (sections 5.1 to 5.3).

use crate::client::*;
use crate::start;
use crate::wire::check;

/// Section 5.2: a length of up to 125 takes one byte, up to 65,535 three, above
/// that nine; the same holds for the server's answers.
#[tokio::test]
async fn messages_of_any_length_are_taken_and_sent() {
    let server = start().await;
    for length in [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537] {
        let payload = vec![b'*'; length];
        let what = format!("{length} bytes");
        let sent = [frame(TEXT, &payload), frame(BINARY, &payload)].concat();
        let heard = [text(String::from_utf8(payload.clone()).unwrap()), binary(&payload)];
        check(&server, "/echo", &what, &sent, &heard).await;
    }
}

/// Section 5.2: "the minimal number of bytes MUST be used to encode the
/// length", and the highest bit of eight bytes is zero.
#[tokio::test]
async fn a_length_that_is_not_in_its_shortest_form_is_refused() {
    let server = start().await;
    for (length, what) in [
        (&[126, 0, 0][..], "0 in three bytes"),
        (&[126, 0, 125], "125 in three bytes"),
        (&[127, 0, 0, 0, 0, 0, 0, 0, 0], "0 in nine bytes"),
        (&[127, 0, 0, 0, 0, 0, 0, 0, 126], "126 in nine bytes"),
        (&[127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "65,535 in nine bytes"),
        (&[127, 0x80, 0, 0, 0, 0, 0, 0, 0], "the highest bit"),
        (&[127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "all bits"),
    ] {
        let sent = part_of_frame(TEXT, length, [0; 4], b"");
        check(&server, "/echo", what, &sent, &[closed(1002)]).await;
    }
}

/// Section 5.1: "a server MUST close the connection upon receiving a frame that
/// is not masked", with 1002 if it gives a code.
#[tokio::test]
async fn a_frame_that_is_not_masked_is_refused() {
    let server = start().await;
    for (sent, what) in [
        (&b"\x81\x02hi"[..], "a text"),
        (b"\x82\x02hi", "bytes"),
        (b"\x01\x02hi", "a fragment"),
        (b"\x81\x00", "an empty text"),
        (b"\x81\x7e\x00\x7e", "a longer text"),
        (b"\x89\x00", "a ping"),
        (b"\x8a\x00", "a pong"),
        (b"\x88\x02\x03\xe8", "a close"),
    ] {
        check(&server, "/echo", what, sent, &[closed(1002)]).await;
    }
    let sent = [&frame(TEXT_BEGINS, b"h")[..], b"\x80\x01i"].concat();
    check(&server, "/echo", "the last fragment", &sent, &[closed(1002)]).await;
}

/// Section 5.3: any four bytes are a mask, and each frame has its own.
#[tokio::test]
async fn frames_are_unmasked_by_their_own_masks() {
    let server = start().await;
    for mask in [[0; 4], [0xff; 4], [1, 2, 4, 8], *b"abcd"] {
        for length in 0..10 {
            let payload = &b"abcdefghij"[..length];
            let sent = [
                frame_masked(BINARY_BEGINS, mask, payload),
                frame_masked(GOES_ON, [9, 8, 7, 6], payload),
                frame_masked(ENDS, mask, payload),
            ];
            let heard = [binary(&payload.repeat(3))];
            let what = format!("{length} bytes by {mask:?}");
            check(&server, "/echo", &what, &sent.concat(), &heard).await;
        }
    }
}

/// Section 5.2: reserved bits "MUST be 0 unless an extension is negotiated",
/// and none is. Messages before the fault are answered before it.
#[tokio::test]
async fn a_reserved_bit_is_refused() {
    let server = start().await;
    for reserved in 1..8 {
        for first in [TEXT, BINARY, TEXT_BEGINS, PING, PONG, CLOSE] {
            let first = first | reserved << 4;
            let what = format!("{first:x}");
            check(&server, "/echo", &what, &frame(first, b""), &[closed(1002)]).await;
            let sent = [frame(TEXT, b"before"), frame(first, b"hi"), frame(PING, b"after")];
            let heard = [text("before"), closed(1002)];
            check(&server, "/echo", &what, &sent.concat(), &heard).await;
        }
        let sent = [frame(TEXT_BEGINS, b"a"), frame(ENDS | reserved << 4, b"b")].concat();
        check(&server, "/echo", "in the last fragment", &sent, &[closed(1002)]).await;
    }
}

/// Section 5.2: "If an unknown opcode is received, the receiving endpoint MUST
/// _Fail the WebSocket Connection_".
#[tokio::test]
async fn a_reserved_opcode_is_refused() {
    let server = start().await;
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        for first in [opcode, 0x80 | opcode] {
            let what = format!("{first:x}");
            check(&server, "/echo", &what, &frame(first, b""), &[closed(1002)]).await;
            let sent = [frame(TEXT, b"before"), frame(first, b"hi"), frame(PING, b"after")];
            let heard = [text("before"), closed(1002)];
            check(&server, "/echo", &what, &sent.concat(), &heard).await;
        }
    }
}

/// Section 5.4, at its end: a client's messages are a stream, whatever segments
/// it arrives in.
#[tokio::test]
async fn messages_are_answered_in_order_however_they_come() {
    let server = start().await;
    let payloads: Vec<String> = (0..40).map(|number| "x".repeat(number) + "é").collect();
    let sent: Vec<u8> =
        payloads.iter().flat_map(|payload| frame(TEXT, payload.as_bytes())).collect();
    let heard: Vec<_> = payloads.into_iter().map(text).collect();
    check(&server, "/echo", "40 messages", &sent, &heard).await;
}
