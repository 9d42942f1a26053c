//! Decodes bytes into messages: a client's side of the WebSocket frames.

use crate::protocol::{STAMP_BYTES, Stamp};

/// Decodes frames that come in pieces of any size.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The first bytes of a frame whose head is incomplete, up to its stamp.
    head: [u8; HEAD_BYTES],
    head_length: usize,
    /// How many bytes of the current frame are still to come.
    rest: usize,
    /// Whether the server sent a ping that isn't answered yet.
    pub(super) pinged: bool,
    /// How many bytes of a text come before its stamp.
    prefix: usize,
}

/// How many bytes of a message of `pode.v1` come before its text.
pub(super) const PODE_V1_PREFIX_BYTES: usize = r#"{"data":"#.len();

/// The longest header, the longest prefix and the stamp after them.
const HEAD_BYTES: usize = 10 + PODE_V1_PREFIX_BYTES + STAMP_BYTES;

impl Decoder {
    /// Makes a decoder of texts whose stamps come after up to [`PODE_V1_PREFIX_BYTES`].
    pub(super) fn new(prefix: usize) -> Decoder {
        Decoder { head: [0; HEAD_BYTES], head_length: 0, rest: 0, pinged: false, prefix }
    }

    /// Calls `message` for each text frame whose stamp has arrived.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut message: impl FnMut(Stamp)) {
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            bytes = &bytes[skipped..];
            self.rest -= skipped;
            if self.head_length == 0 {
                // Nearly always, the whole head is in this piece.
                let Head::Known { length, rest, stamp } = Head::of(bytes, self.prefix) else {
                    self.keep(&mut bytes);
                    continue;
                };
                stamp.into_iter().for_each(&mut message);
                self.pinged |= is_ping(bytes);
                bytes = &bytes[length..];
                self.rest = rest;
            } else {
                self.keep(&mut bytes);
                let head = Head::of(&self.head[..self.head_length], self.prefix);
                if let Head::Known { rest, stamp, .. } = head {
                    stamp.into_iter().for_each(&mut message);
                    self.pinged |= is_ping(&self.head);
                    self.rest = rest;
                    self.head_length = 0;
                }
            }
        }
    }

    /// Takes as many bytes as are missing for the next step.
    fn keep(&mut self, bytes: &mut &[u8]) {
        while let Head::Missing(missing) = Head::of(&self.head[..self.head_length], self.prefix)
            && !bytes.is_empty()
        {
            let taken = missing.min(bytes.len());
            self.head[self.head_length..][..taken].copy_from_slice(&bytes[..taken]);
            self.head_length += taken;
            *bytes = &bytes[taken..];
        }
    }
}

fn is_ping(frame: &[u8]) -> bool {
    frame[0] & 0xf == 0x9
}

/// The contents of a frame's first bytes.
enum Head {
    /// At least this many more bytes are needed.
    Missing(usize),
    Known {
        /// The length of the head, in bytes.
        length: usize,
        /// How many bytes of the frame follow it.
        rest: usize,
        /// The stamp of a text; other frames have none.
        stamp: Option<Stamp>,
    },
}

impl Head {
    fn of(bytes: &[u8], prefix: usize) -> Head {
        let &[_, length, ref more @ ..] = bytes else { return Head::Missing(2 - bytes.len()) };
        let (header, payload_bytes) = match (length, more) {
            (126, &[high, low, ..]) => (4, u16::from_be_bytes([high, low]).into()),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize)
            }
            (126, _) => return Head::Missing(4 - bytes.len()),
            (127, _) => return Head::Missing(10 - bytes.len()),
            // Servers don't mask, so the highest bit is never set.
            (length, _) => (2, length.into()),
        };
        const TEXT: u8 = 0x1;
        let stamped = bytes[0] & 0xf == TEXT && payload_bytes >= prefix + STAMP_BYTES;
        let length = header + if stamped { prefix + STAMP_BYTES } else { 0 };
        if bytes.len() < length {
            return Head::Missing(length - bytes.len());
        }
        let stamp = if stamped { Stamp::parse(&bytes[header + prefix..]) } else { None };
        Head::Known { length, rest: header + payload_bytes - length, stamp }
    }
}

#[cfg(test)]
mod tests {
    use super::super::socket_io::PREFIX_BYTES;
    use super::*;
    use crate::protocol;

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut bytes = Vec::new();
        for (sequence, payload_bytes) in [128, 16, 126, 16 << 10, 70_000].into_iter().enumerate() {
            let json = format!("\"{}\"", protocol::text(sequence as u64, payload_bytes));
            match payload_bytes {
                ..126 => bytes.extend([0x81, payload_bytes as u8]),
                126..65_536 => {
                    bytes.extend([0x81, 126]);
                    bytes.extend((payload_bytes as u16).to_be_bytes());
                }
                _ => {
                    bytes.extend([0x81, 127]);
                    bytes.extend((payload_bytes as u64).to_be_bytes());
                }
            }
            bytes.extend(json.as_bytes());
            // A ping, and an empty pong.
            bytes.extend(b"\x89\x02hi\x8a\x00");
        }
        for piece in [1, 2, 3, 7, 36, 37, 100, 4_096, bytes.len()] {
            let mut decoder = Decoder::new(0);
            let mut sequences = Vec::new();
            for piece in bytes.chunks(piece) {
                decoder.feed(piece, |stamp| sequences.push(stamp.sequence));
            }
            assert_eq!(sequences, [0, 1, 2, 3, 4], "in pieces of {piece}");
            assert!(decoder.pinged);
            assert_eq!((decoder.head_length, decoder.rest), (0, 0), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_stamp_may_come_after_a_prefix() {
        let mut bytes = Vec::new();
        let message = format!(r#"42["m","{}","offset"]"#, protocol::text(7, 64));
        for packet in [r#"0{"sid":"00000000000000000000"}"#, r#"40{"sid":"0000000"}"#, &message] {
            bytes.extend([0x81, packet.len() as u8]);
            bytes.extend(packet.as_bytes());
        }
        for piece in [1, 2, 3, 7, bytes.len()] {
            let mut decoder = Decoder::new(PREFIX_BYTES);
            let mut sequences = Vec::new();
            for piece in bytes.chunks(piece) {
                decoder.feed(piece, |stamp| sequences.push(stamp.sequence));
            }
            assert_eq!(sequences, [7], "in pieces of {piece}");
        }
    }
}
