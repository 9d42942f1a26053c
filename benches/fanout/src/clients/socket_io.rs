//! The few packets that a client of Socket.IO needs to connect, and to come back
//! for what it missed.

use std::io;

use serde_json::json;

/// The target of all handshakes: paths are inside the packets.
pub(super) const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// How many bytes of a message come before its text.
pub(super) const PREFIX_BYTES: usize = r#"42["m","#.len();

/// What the server says first contains this.
pub(super) const OPENED: &[u8] = br#""sid":"#;

/// Before the key with which only this client can come back.
const KEY: &[u8] = br#""pid":""#;

/// Makes the frame by which a client asks to be connected, or to come back with
/// its key.
pub(super) fn connect(key: Option<&str>, offset: Option<&str>) -> io::Result<Vec<u8>> {
    let packet = match (key, offset) {
        (Some(key), Some(offset)) => format!("40{}", json!({ "pid": key, "offset": offset })),
        _ => "40".to_owned(),
    };
    let length = u8::try_from(packet.len()).ok().filter(|length| *length < 126);
    let length = length.ok_or_else(|| io::Error::other(format!("too long: {packet}")))?;
    // Masked by zeros.
    Ok([&[0x81, 0x80 | length, 0, 0, 0, 0], packet.as_bytes()].concat())
}

/// Finds the key in what the server answers, once it is complete.
pub(super) fn key(answer: &[u8]) -> Option<&str> {
    let start = answer.windows(KEY.len()).position(|part| part == KEY)? + KEY.len();
    let length = answer[start..].iter().position(|byte| *byte == b'"')?;
    str::from_utf8(&answer[start..][..length]).ok()
}
