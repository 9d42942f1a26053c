//! Pings and pongs (section 5.5).

use crate::client::*;
use crate::start;
use crate::wire::{Heard, check};

/// Section 5.5.3: a pong has the payload of its ping, whatever it is.
#[tokio::test]
async fn a_ping_is_answered_with_its_payload() {
    let server = start().await;
    for payload in [&b""[..], b"?", b"hello", &[0xff, 0xfe, 0xfd, 0x00], &[0xfe; 124], &[0xfe; 125]]
    {
        let what = format!("a ping of {} bytes", payload.len());
        check(&server, "/echo", &what, &frame(PING, payload), &[pong(payload)]).await;
        // Pings are answered even where no messages are accepted.
        check(&server, "/news", &what, &frame(PING, payload), &[pong(payload)]).await;
    }
}

/// Section 5.5.3: an endpoint may answer the latest ping alone; this server
/// answers each, in order.
#[tokio::test]
async fn each_ping_is_answered_in_order() {
    let server = start().await;
    let pings: Vec<u8> = (0..50).flat_map(|number| frame(PING, &[number])).collect();
    let pongs: Vec<Heard> = (0..50).map(|number| pong(&[number])).collect();
    check(&server, "/echo", "50 pings", &pings, &pongs).await;
}

/// Section 5.5.3: "A response to an unsolicited Pong frame is not expected."
#[tokio::test]
async fn a_pong_that_nobody_asked_for_is_not_answered() {
    let server = start().await;
    let sent = [frame(PONG, b""), frame(PONG, &[7; 125]), frame(TEXT, b"hi")].concat();
    check(&server, "/echo", "pongs", &sent, &[text("hi")]).await;
}

/// Section 5.5: "All control frames MUST have a payload length of 125 bytes or
/// less and MUST NOT be fragmented."
#[tokio::test]
async fn a_control_frame_that_is_too_long_or_in_parts_is_refused() {
    let server = start().await;
    for first in [PING, PONG, CLOSE] {
        for (length, what) in [
            (&[126, 0, 126][..], "126 bytes"),
            (&[126, 0, 5], "5 bytes in three"),
            (&[126, 0xff, 0xff], "65,535 bytes"),
            (&[127, 0, 0, 0, 0, 0, 1, 0, 0], "65,536 bytes"),
        ] {
            let sent = part_of_frame(first, length, [0; 4], &[0; 126]);
            check(&server, "/echo", &format!("{first:x} of {what}"), &sent, &[closed(1002)]).await;
        }
        const FINAL: u8 = 0x80;
        let part = frame(first & !FINAL, b"\x03\xe8");
        check(&server, "/echo", "a control frame in parts", &part, &[closed(1002)]).await;
        let between = [frame(TEXT_BEGINS, b"a"), part, frame(ENDS, b"b")].concat();
        check(&server, "/echo", "the same between fragments", &between, &[closed(1002)]).await;
    }
}
