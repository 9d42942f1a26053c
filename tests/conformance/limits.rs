//! The limits that a signal declares, and their close codes (section 7.4.1:
//! 1003 and 1009).

use crate::client::*;
use crate::start;
use crate::wire::{Heard, check};

/// The path accepts messages of up to 100 bytes.
#[tokio::test]
async fn a_message_of_the_most_bytes_is_taken() {
    let server = start().await;
    let all = [b'x'; 100];
    let rows: &[(&str, &[Vec<u8>])] = &[
        ("in one frame", &[frame(BINARY, &all)]),
        ("in two", &[frame(BINARY_BEGINS, &all[..60]), frame(ENDS, &all[60..])]),
        (
            "beside control frames, which don't count",
            &[frame(BINARY_BEGINS, &all[..60]), frame(PONG, &[0; 125]), frame(ENDS, &all[60..])],
        ),
        (
            "beside empty frames",
            &[
                frame(BINARY_BEGINS, &all),
                frame(GOES_ON, b""),
                frame(GOES_ON, b""),
                frame(ENDS, b""),
            ],
        ),
    ];
    for (what, sent) in rows {
        check(&server, "/short", what, &sent.concat(), &[binary(&all)]).await;
    }
}

/// "1009 indicates that an endpoint is terminating the connection because it
/// has received a message that is too big for it to process." The header of a
/// frame is enough to know that.
#[tokio::test]
async fn a_message_of_more_bytes_is_refused_by_its_header() {
    let server = start().await;
    let rows: &[(&str, &[Vec<u8>])] = &[
        ("one byte too many", &[frame(BINARY, &[0; 101])]),
        ("the header alone", &[part_of_frame(TEXT, &[101], [0; 4], b"")]),
        ("65,536 bytes", &[part_of_frame(TEXT, &[127, 0, 0, 0, 0, 0, 1, 0, 0], [0; 4], b"")]),
        (
            "as many as can be told",
            &[part_of_frame(TEXT, &[127, 0x7f, 255, 255, 255, 255, 255, 255, 255], [0; 4], b"")],
        ),
        ("a fragment", &[part_of_frame(TEXT_BEGINS, &[101], [0; 4], b"")]),
        ("the sum", &[frame(TEXT_BEGINS, &[b'x'; 60]), part_of_frame(ENDS, &[41], [0; 4], b"")]),
        (
            "a sum that overflows",
            &[
                frame(TEXT_BEGINS, &[b'x'; 60]),
                part_of_frame(
                    GOES_ON,
                    &[127, 0x7f, 255, 255, 255, 255, 255, 255, 255],
                    [0; 4],
                    b"",
                ),
            ],
        ),
    ];
    for (what, sent) in rows {
        check(&server, "/short", what, &sent.concat(), &[closed(1009)]).await;
        let sent = [&frame(TEXT, b"before")[..], &sent.concat()].concat();
        check(&server, "/short", what, &sent, &[text("before"), closed(1009)]).await;
    }
}

/// "1003 indicates that an endpoint is terminating the connection because it
/// has received a type of data it cannot accept": where clients only listen,
/// that is any message.
#[tokio::test]
async fn a_message_is_refused_where_none_is_taken() {
    let server = start().await;
    for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
        for payload in [&b""[..], b"hi"] {
            let what = format!("{first:x}");
            check(&server, "/news", &what, &frame(first, payload), &[closed(1003)]).await;
        }
        let sent = [frame(PING, b"?"), part_of_frame(first, &[126, 0xff, 0xff], [0; 4], b"")];
        let heard = [Heard::Pong(b"?".to_vec()), closed(1003)];
        check(&server, "/news", "the header alone", &sent.concat(), &heard).await;
    }
    check(&server, "/news", "more of nothing", &frame(ENDS, b""), &[closed(1002)]).await;
}
