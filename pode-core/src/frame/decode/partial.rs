//! What is kept of a client's bytes until the rest arrives.

use super::header::{ClientHeader, MAX_HEADER_BYTES};
use super::{AcceptPolicy, Close, Opcode, Received, mask};

/// A partly received frame, message, or both.
#[derive(Debug, Default)]
pub(super) struct PartialFrame {
    /// What the next byte belongs to.
    place: Place,
    /// The message whose last frame is incomplete.
    message: Option<Message>,
    /// The payload of a control frame, unmasked, which may stand between the
    /// frames of the message.
    control: Vec<u8>,
    /// How many frames of the message were empty, except for the last.
    empty_frames: u32,
    /// How many bytes have arrived since the last check for falling behind;
    /// `None` before the first.
    came: Option<usize>,
}

#[derive(Debug)]
enum Place {
    /// In a header, of which so many bytes have arrived; none between two
    /// frames.
    Header {
        bytes: [u8; MAX_HEADER_BYTES],
        length: usize,
    },
    Payload(Payload),
}

impl Default for Place {
    fn default() -> Place {
        Place::Header { bytes: [0; MAX_HEADER_BYTES], length: 0 }
    }
}

/// The payload that is being received.
#[derive(Debug)]
struct Payload {
    opcode: Opcode,
    last: bool,
    /// The mask for the next byte and those after it.
    mask: [u8; 4],
    /// How many bytes are missing. Between two calls of the decoder it is zero
    /// only when what the frame completed was returned.
    missing: usize,
}

#[derive(Debug)]
struct Message {
    /// The opcode of its first frame: text or binary.
    opcode: Opcode,
    /// The payloads so far, unmasked.
    bytes: Vec<u8>,
    /// How many of the bytes are whole characters; unused for binary messages.
    valid_bytes: usize,
}

/// How far the received bytes reached.
pub(super) enum Progress {
    /// No payload, or no more of it, is expected: a header is next.
    BeforePayload,
    /// More bytes of the payload are needed.
    InPayload,
    /// A message or frame is complete, see [`PartialFrame::said`].
    Whole,
    /// The client sent a close frame; this is the answer.
    Closed(Close),
}

impl PartialFrame {
    /// Forgets what was returned; `None` if nothing else is left.
    pub(super) fn without_what_was_said(mut self: Box<PartialFrame>) -> Option<Box<PartialFrame>> {
        if let Place::Payload(payload @ Payload { missing: 0, .. }) = &self.place {
            if !payload.opcode.is_control() {
                return None;
            }
            self.message.as_ref()?;
            self.place = Place::default();
            self.control = Vec::new();
        }
        Some(self)
    }

    /// Tells whether a part of a header has arrived.
    pub(super) fn is_in_header(&self) -> bool {
        matches!(self.place, Place::Header { length: 1.., .. })
    }

    /// Returns how many bytes of an unfinished message have arrived.
    pub(super) fn message_bytes(&self) -> Option<usize> {
        self.message.as_ref().map(|message| message.bytes.len())
    }

    pub(super) fn empty_frames(&self) -> u32 {
        self.empty_frames
    }

    /// See [`Decoder::falls_behind`](super::Decoder::falls_behind).
    pub(super) fn falls_behind(&mut self, least_bytes: usize) -> bool {
        self.came.replace(0).is_some_and(|came| came < least_bytes)
    }

    pub(super) fn excuse(&mut self) {
        self.came = None;
    }

    fn note(&mut self, bytes: usize) {
        self.came = self.came.map(|came| came + bytes);
    }

    /// Takes the rest of a header from the front of `input`, or all of it.
    ///
    /// # Errors
    ///
    /// As [`ClientHeader::decode`].
    pub(super) fn take_header(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<ClientHeader>, Close> {
        let Place::Header { bytes, length } = &mut self.place else { return Ok(None) };
        while let Some(byte) = input.split_off_first_mut() {
            bytes[*length] = *byte;
            *length += 1;
            if let Some(header) = ClientHeader::decode(&bytes[..*length])? {
                *length = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// Prepares for the payload after this header, which was validated.
    pub(super) fn begin_payload(&mut self, header: &ClientHeader) {
        let &ClientHeader { opcode, last, mask, .. } = header;
        let missing = header.payload_bytes as usize;
        if missing == 0 && !last && !opcode.is_control() {
            self.empty_frames += 1;
        }
        self.place = Place::Payload(Payload { opcode, last, mask, missing });
    }

    /// Takes the rest of the payload from the front of `input`, or all of it.
    ///
    /// # Errors
    ///
    /// A text that can't become UTF-8.
    pub(super) fn take_payload(
        &mut self,
        input: &mut &mut [u8],
        incoming: AcceptPolicy,
    ) -> Result<Progress, Close> {
        if matches!(self.place, Place::Payload(_)) {
            self.note(input.len());
        }
        let Place::Payload(payload) = &mut self.place else { return Ok(Progress::BeforePayload) };
        let length = payload.missing.min(input.len());
        let part = input.split_off_mut(..length).unwrap_or_default();
        mask::unmask(part, payload.mask);
        payload.mask = mask::turn(payload.mask, length);
        payload.missing -= length;
        let is_whole = payload.missing == 0;

        if payload.opcode.is_control() {
            append(&mut self.control, part, payload.missing);
            return Ok(match payload.opcode {
                _ if !is_whole => Progress::InPayload,
                Opcode::Close => Progress::Closed(Close::answer_to(&self.control)),
                _ => Progress::Whole,
            });
        }

        let message = self.message.get_or_insert_with(|| Message::new(payload.opcode));
        let may_follow = match incoming {
            AcceptPolicy::Messages { max_bytes, .. } if !payload.last => {
                max_bytes.saturating_sub(message.bytes.len() + length)
            }
            _ => payload.missing,
        };
        message.add(part, may_follow)?;
        if !is_whole {
            Ok(Progress::InPayload)
        } else if payload.last {
            message.finish()?;
            Ok(Progress::Whole)
        } else {
            self.place = Place::default();
            Ok(Progress::BeforePayload)
        }
    }

    /// Returns what is [complete](Progress::Whole).
    ///
    /// A text is checked once more, which is the safe way to a `str`.
    ///
    /// # Errors
    ///
    /// None that [`take_payload`](PartialFrame::take_payload) hadn't returned
    /// before.
    pub(super) fn said(&self) -> Result<Option<Received<'_>>, Close> {
        match (&self.place, &self.message) {
            (Place::Payload(payload), _) if payload.opcode.is_control() => {
                Received::of(payload.opcode, &self.control).map(Some)
            }
            (_, Some(message)) => Received::of(message.opcode, &message.bytes).map(Some),
            (_, None) => Ok(None),
        }
    }
}

impl Message {
    fn new(opcode: Opcode) -> Message {
        Message { opcode, bytes: Vec::new(), valid_bytes: 0 }
    }

    /// Adds a part of the payload; at most so many bytes may follow.
    fn add(&mut self, part: &[u8], may_follow: usize) -> Result<(), Close> {
        append(&mut self.bytes, part, may_follow);
        if self.opcode == Opcode::Text {
            let unchecked = &self.bytes[self.valid_bytes..];
            self.valid_bytes += match str::from_utf8(unchecked) {
                Ok(text) => text.len(),
                // Cut off in the middle of a character.
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => return Err(Close::NOT_UTF8),
            };
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), Close> {
        if self.opcode == Opcode::Text && self.valid_bytes < self.bytes.len() {
            return Err(Close::NOT_UTF8);
        }
        Ok(())
    }
}

/// Appends a part; at most so many bytes may follow.
///
/// Doubling the capacity, or reserving less if less may follow, keeps a message
/// of many parts from being moved each time. An announced length costs nothing
/// until the bytes are sent.
fn append(bytes: &mut Vec<u8>, part: &[u8], may_follow: usize) {
    let length = bytes.len() + part.len();
    if length > bytes.capacity() {
        bytes.reserve_exact(part.len() + may_follow.min(length));
    }
    bytes.extend_from_slice(part);
}

#[cfg(test)]
impl PartialFrame {
    /// Returns how many bytes of memory the payloads take.
    pub(super) fn capacity_bytes(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| message.bytes.capacity());
        message + self.control.capacity()
    }
}
