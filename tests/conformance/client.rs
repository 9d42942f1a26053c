//! The frames of a client, and short names for what it receives.

use crate::wire::Heard;

/// First bytes of frames: their opcode, with the FIN bit set.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
/// Fragments: the first frame of a message, one in the middle, the last.
pub(crate) const TEXT_BEGINS: u8 = 0x01;
pub(crate) const BINARY_BEGINS: u8 = 0x02;
pub(crate) const GOES_ON: u8 = 0x00;
pub(crate) const ENDS: u8 = 0x80;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A whole frame, with its length in the shortest form.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_masked(first, MASK, payload)
}

/// The same with a custom mask.
pub(crate) fn frame_masked(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let length = match length {
        0..126 => vec![length as u8],
        126..0x1_0000 => [&[126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[127][..], &(length as u64).to_be_bytes()].concat(),
    };
    part_of_frame(first, &length, mask, payload)
}

/// A frame whose length is encoded in these bytes, up to the end of this part
/// of its payload.
pub(crate) fn part_of_frame(first: u8, length: &[u8], mask: [u8; 4], part: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | length[0]];
    bytes.extend(&length[1..]);
    bytes.extend(mask);
    bytes.extend(part.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A close frame with a code and a reason.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

pub(crate) fn text(text: impl Into<String>) -> Heard {
    Heard::Text(text.into())
}

pub(crate) fn binary(bytes: &[u8]) -> Heard {
    Heard::Binary(bytes.to_vec())
}

pub(crate) fn pong(payload: &[u8]) -> Heard {
    Heard::Pong(payload.to_vec())
}

pub(crate) fn closed(code: u16) -> Heard {
    Heard::Close(Some(code))
}
