//! The closing handshake (sections 5.5.1 and 7).

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::client::*;
use crate::wire::{Heard, Wire, check};
use crate::{ECHO, start, start_with};

/// Section 5.5.1: "the endpoint typically echos the status code it received".
/// Section 7.4: 1000 to 1003 and 1007 to 1011 are defined; 1012 to 1014 are
/// registered since; 3000 to 3999 are for libraries, 4000 to 4999 for private
/// use.
#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let server = start().await;
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        for reason in [&b""[..], b"bye", "auf Wiederhören".as_bytes(), &[b'x'; 123]] {
            let what = format!("{code}, of {} bytes", reason.len());
            for path in ["/echo", "/news"] {
                check(&server, path, &what, &close(code, reason), &[closed(code)]).await;
            }
        }
    }
}

/// Section 7.1.5: without a code, the answer has none.
#[tokio::test]
async fn a_close_without_a_code_is_answered_without_one() {
    let server = start().await;
    check(&server, "/echo", "no code", &frame(CLOSE, b""), &[Heard::Close(None)]).await;
}

/// Section 7.4: 1004 to 1006 and 1015 "MUST NOT be set as a status code in a
/// Close control frame", those below 1000 "are not used", and the others are
/// unassigned.
#[tokio::test]
async fn a_close_code_that_may_not_travel_is_refused() {
    let server = start().await;
    for code in [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 32_768, 65_535,
    ] {
        check(&server, "/echo", &code.to_string(), &close(code, b""), &[closed(1002)]).await;
        check(&server, "/echo", &code.to_string(), &close(code, b"bye"), &[closed(1002)]).await;
    }
}

/// Section 5.5.1: "If there is a body, the first two bytes of the body MUST be
/// a 2-byte unsigned integer", and the rest is UTF-8.
#[tokio::test]
async fn a_close_that_is_none_is_refused() {
    let server = start().await;
    check(&server, "/echo", "half a code", &frame(CLOSE, b"\x03"), &[closed(1002)]).await;
    for reason in [&b"\xff"[..], b"good\xc3", b"\xed\xa0\x80", b"\xc0\xaf"] {
        check(&server, "/echo", "no text", &close(1000, reason), &[closed(1007)]).await;
        check(&server, "/echo", "neither", &close(1005, reason), &[closed(1002)]).await;
    }
    let too_long = part_of_frame(CLOSE, &[126, 0, 126], [0; 4], &[b'x'; 126]);
    check(&server, "/echo", "126 bytes", &too_long, &[closed(1002)]).await;
}

/// Section 5.5.1: an endpoint that sent a close frame "MUST NOT send any more
/// data frames"; if it does, they are ignored.
#[tokio::test]
async fn what_stands_behind_a_close_is_not_looked_at() {
    let server = start().await;
    for behind in [frame(TEXT, b"hi"), frame(PING, b"?"), close(1001, b""), b"\xff\xff".to_vec()] {
        let mut wire = Wire::open(&server, "/echo").await;
        wire.send(&[close(1000, b""), behind].concat()).await;
        assert_eq!(wire.hear().await, closed(1000));
        wire.end().await;
    }
}

/// Section 7.1.1: the server ends the connection, and the client waits for it.
#[tokio::test]
async fn the_answer_reaches_a_client_that_has_stopped_writing() {
    let server = start().await;
    for path in ["/echo", "/news"] {
        let mut wire = Wire::open(&server, path).await;
        wire.send(&close(1000, b"")).await;
        wire.shut_down().await;
        assert_eq!(wire.hear().await, closed(1000));
        wire.end().await;
    }
}

/// Section 5.5.1: the server's close is the last frame it sends, whatever the
/// client sends until it answers.
#[tokio::test]
async fn a_server_that_closes_waits_for_the_answer() {
    let server = start().await;
    let mut wire = Wire::open(&server, "/echo").await;
    wire.send(&frame(TEXT, b"hi")).await;
    assert_eq!(wire.hear().await, text("hi"));

    server.signals().clients(ECHO).close_all(4001, "enough").await.unwrap();
    assert_eq!(wire.hear().await, closed(4001));
    let late = [frame(TEXT, b"late"), frame(PING, b"late"), frame(TEXT_BEGINS, b"later")];
    wire.send(&late.concat()).await;
    wire.send(&close(4001, b"")).await;
    wire.end().await;
}

/// Section 5.5.1: both may close at once, and each has then sent and received a
/// close frame.
#[tokio::test]
async fn both_may_close_at_once() {
    let server = start().await;
    for code in [1000, 4001] {
        let mut wire = Wire::open(&server, "/echo").await;
        wire.send(&frame(PING, b"")).await;
        assert_eq!(wire.hear().await, pong(b""));
        wire.send(&close(code, b"")).await;
        // Whichever comes first, the client gets one close frame.
        server.signals().clients(ECHO).close_all(4002, "").await.unwrap();
        let heard = wire.hear().await;
        assert!(heard == closed(code) || heard == closed(4002), "{heard:?}");
        wire.end().await;
    }
}

/// Section 7.1.7: a client that breaks a rule gets a close frame, and what it
/// sends afterwards is ignored.
#[tokio::test]
async fn nothing_is_heard_behind_a_fault() {
    let server = start().await;
    let mut wire = Wire::open(&server, "/echo").await;
    wire.send(&frame(0x83, b"")).await;
    assert_eq!(wire.hear().await, closed(1002));
    wire.end().await;
    // The server reads it, so that no reset destroys the close frame.
    for _ in 0..100 {
        wire.send(&frame(TEXT, &[b'x'; 10_000])).await;
    }
}

/// Messages before a fault are answered before the fault is reported.
#[tokio::test]
async fn a_fault_is_told_behind_the_answers() {
    let gate = Arc::new(Semaphore::new(0));
    let server = start_with(Arc::clone(&gate)).await;
    let mut wire = Wire::open(&server, "/slow").await;
    let said: Vec<u8> = (0..10).flat_map(|number| frame(BINARY, &[number])).collect();
    wire.send(&[said, frame(0x83, b"")].concat()).await;
    gate.add_permits(10);
    for number in 0..10 {
        assert_eq!(wire.hear().await, binary(&[number]));
    }
    assert_eq!(wire.hear().await, closed(1002));
    wire.end().await;
}

/// An unfinished handler doesn't keep a client connected that broke a rule.
#[tokio::test]
async fn a_fault_is_told_at_last_to_whoever_is_not_answered() {
    let server = start().await;
    let mut wire = Wire::open(&server, "/slow").await;
    wire.send(&[frame(TEXT, b"hi"), frame(0x83, b"")].concat()).await;
    assert_eq!(wire.hear().await, closed(1002));
    wire.end().await;
}
