//! Decodes what a client sends (RFC 6455, section 5).
//!
//! Bytes arrive in arbitrary pieces. A frame that is whole in the caller's
//! buffer is unmasked and returned in place. Only what is cut off at the end of
//! the buffer is copied, and kept until the rest arrives. Most clients are
//! silent and have nothing unfinished, so thousands of them may share one read
//! buffer, and each needs a [`Decoder`] of one pointer.
//!
//! An error is reported at the header that shows it, before any payload is
//! kept, and in a text at the first byte that can't continue a character. It is
//! always the same error, wherever the bytes are split.

mod header;
mod mask;
mod partial;
#[cfg(test)]
mod tests;

use super::{Close, Opcode};
use header::ClientHeader;
use partial::{PartialFrame, Progress};

/// A message or control frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping of at most 125 bytes; [`pong`](super::pong) makes the answer.
    Ping(&'a [u8]),
    /// A pong of at most 125 bytes, solicited or not.
    Pong(&'a [u8]),
    /// The client's close frame, valid or not; this is the answer to it.
    Close(Close),
}

impl Received<'_> {
    /// Decodes the payload of a whole message or control frame.
    fn of(opcode: Opcode, payload: &[u8]) -> Result<Received<'_>, Close> {
        Ok(match opcode {
            Opcode::Continuation => return Err(NOTHING_TO_CONTINUE),
            Opcode::Text => Received::Text(str::from_utf8(payload).map_err(|_| Close::NOT_UTF8)?),
            Opcode::Binary => Received::Binary(payload),
            Opcode::Close => Received::Close(Close::answer_to(payload)),
            Opcode::Ping => Received::Ping(payload),
            Opcode::Pong => Received::Pong(payload),
        })
    }
}

/// Which messages are accepted. Control frames always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptPolicy {
    /// No messages: the header of one is answered by [`Close::NO_MESSAGES`].
    Nothing,
    /// Messages of at most so many bytes, all their frames together: the header
    /// of a frame that exceeds this is answered by [`Close::TOO_BIG`].
    Messages {
        /// The most bytes of one message, which bounds the bytes that the
        /// server keeps for one client (apart from a control frame and a
        /// header).
        max_bytes: usize,
        /// The most bytes of one frame of a message: the header of a larger one
        /// is answered by [`Close::FRAME_TOO_BIG`].
        max_frame_bytes: usize,
    },
}

impl AcceptPolicy {
    /// Accepts messages of at most so many bytes, in frames of any size.
    pub const fn messages(max_bytes: usize) -> AcceptPolicy {
        AcceptPolicy::Messages { max_bytes, max_frame_bytes: usize::MAX }
    }
}

/// How many frames of a message may be empty, except for the last: enough for
/// any honest client. Without a bound, a message might never end.
const MAX_EMPTY_FRAMES: u32 = 1000;

/// Decodes what one client sends.
///
/// While nothing is unfinished, it is one pointer and allocates nothing.
///
/// ```
/// # use pode_core::frame::{AcceptPolicy, Decoder, Received};
///
/// let mut decoder = Decoder::default();
/// let accepts = AcceptPolicy::messages(1024);
/// let mut heard = Vec::new();
/// for read in [&b"\x81\x82\0\0\0\0Hi\x81\x85\0\0"[..], b"\0\0there"] {
///     let mut buffer = read.to_vec();
///     let mut input = &mut buffer[..];
///     while let Some(received) = decoder.next(&mut input, accepts).unwrap() {
///         if let Received::Text(text) = received {
///             heard.push(text.to_owned());
///         }
///     }
/// }
/// assert_eq!(heard, ["Hi", "there"]);
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    /// Boxed, since most clients have nothing unfinished most of the time. It
    /// also holds what was last returned, if that had arrived in parts.
    partial: Option<Box<PartialFrame>>,
}

impl Decoder {
    /// Decodes the next message or control frame from the front of `input`.
    ///
    /// `None` means that more bytes are needed: then all of `input` was
    /// consumed, and the unfinished part is kept in the decoder. So a caller
    /// repeats the call until it returns `None`, and may then use the buffer
    /// for another client. Or it stops earlier, and passes the rest of `input`
    /// again later, alone or with more bytes after it.
    ///
    /// The result borrows from `input` or from the decoder; the next call frees
    /// the decoder's memory for it. While a message is unfinished, the decoder
    /// allocates at most twice the bytes of it that have arrived, whatever
    /// length was announced, and never more than `accepts` allows.
    ///
    /// Each header is checked against `accepts` when it arrives: a change
    /// applies to the frames that follow.
    ///
    /// # Errors
    ///
    /// The close frame for the connection, if the client has broken a rule:
    ///
    /// - 1002: a frame that is not masked, has a reserved bit or opcode, or
    ///   encodes its length in more bytes than it needs; a control frame in
    ///   parts or of more than 125 bytes (sections 5.1, 5.2 and 5.5); a message
    ///   inside another, or a continuation without one (section 5.4).
    /// - 1003 or 1009: a message that `accepts` doesn't allow.
    /// - 1008: a message of more than a thousand empty frames.
    /// - 1007: a text that is not UTF-8 (section 8.1).
    ///
    /// After an error or a [`Received::Close`] nothing is kept, the rest of
    /// `input` has no meaning, and the decoder must not be called again.
    pub fn next<'a, 'input: 'a>(
        &'a mut self,
        input: &mut &'input mut [u8],
        accepts: AcceptPolicy,
    ) -> Result<Option<Received<'a>>, Close> {
        self.partial = self.partial.take().and_then(PartialFrame::without_what_was_said);
        let taken = self.take(input, accepts);
        if let Err(_) | Ok(Some(Taken::Here(Received::Close(_)))) = taken {
            self.partial = None;
        }
        match taken? {
            None => Ok(None),
            Some(Taken::Here(said)) => Ok(Some(said)),
            Some(Taken::Kept) => self.partial.as_deref().map_or(Ok(None), PartialFrame::said),
        }
    }

    /// Does the work of [`next`](Decoder::next), except for borrowing what is
    /// kept.
    fn take<'input>(
        &mut self,
        input: &mut &'input mut [u8],
        accepts: AcceptPolicy,
    ) -> Result<Option<Taken<'input>>, Close> {
        loop {
            if let Some(partial) = &mut self.partial {
                match partial.take_payload(input, accepts)? {
                    Progress::BeforePayload => {}
                    Progress::InPayload => return Ok(None),
                    Progress::Whole => return Ok(Some(Taken::Kept)),
                    Progress::Closed(answer) => {
                        return Ok(Some(Taken::Here(Received::Close(answer))));
                    }
                }
            }
            let Some(header) = self.take_header(input)? else { return Ok(None) };
            let message_bytes = self.partial.as_ref().and_then(|it| it.message_bytes());
            judge(&header, message_bytes, accepts)?;
            let stands_alone =
                header.opcode.is_control() || (header.last && message_bytes.is_none());
            if stands_alone
                && let Some(payload) = input.split_off_mut(..header.payload_bytes as usize)
            {
                if message_bytes.is_none() {
                    // Its header had arrived in parts.
                    self.partial = None;
                }
                mask::unmask(payload, header.mask);
                return Received::of(header.opcode, payload).map(|said| Some(Taken::Here(said)));
            }
            let partial = self.partial.get_or_insert_default();
            partial.begin_payload(&header);
            if partial.empty_frames() > MAX_EMPTY_FRAMES {
                return Err(Close::TOO_MANY_EMPTY);
            }
        }
    }

    /// Tells whether the client has begun a message or frame, and sent fewer
    /// bytes of it than this since the last call. Called at equal intervals, it
    /// finds clients whose messages arrive too slowly.
    pub fn falls_behind(&mut self, least_bytes: usize) -> bool {
        self.partial.as_mut().is_some_and(|partial| partial.falls_behind(least_bytes))
    }

    /// Notes that the server doesn't read from the client, so that the client
    /// isn't reported as [falling behind](Self::falls_behind).
    pub fn excuse(&mut self) {
        if let Some(partial) = &mut self.partial {
            partial.excuse();
        }
    }

    /// Decodes a header from the front of `input`; `None` if more bytes are
    /// needed, and then the available ones are kept.
    fn take_header(&mut self, input: &mut &mut [u8]) -> Result<Option<ClientHeader>, Close> {
        if self.partial.as_ref().is_none_or(|partial| !partial.is_in_header()) {
            if let Some(header) = ClientHeader::decode(input)? {
                let _header = input.split_off_mut(..header.header_bytes);
                return Ok(Some(header));
            }
            if input.is_empty() {
                return Ok(None);
            }
        }
        self.partial.get_or_insert_default().take_header(input)
    }
}

/// Where a decoded message lies.
enum Taken<'input> {
    /// In the input, or nowhere.
    Here(Received<'input>),
    /// In the decoder's memory.
    Kept,
}

const NOTHING_TO_CONTINUE: Close = Close::protocol_error("there is no message to continue");

/// Checks a header against the message that it belongs to, of which so many
/// bytes came before, and against the policy.
fn judge(
    header: &ClientHeader,
    message_bytes: Option<usize>,
    accepts: AcceptPolicy,
) -> Result<(), Close> {
    match (header.opcode, message_bytes) {
        (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
        (Opcode::Continuation, None) => return Err(NOTHING_TO_CONTINUE),
        (Opcode::Text | Opcode::Binary, Some(_)) => {
            return Err(Close::protocol_error("a message begins inside another"));
        }
        (Opcode::Continuation, Some(_)) | (Opcode::Text | Opcode::Binary, None) => {}
    }
    let AcceptPolicy::Messages { max_bytes, max_frame_bytes } = accepts else {
        return Err(Close::NO_MESSAGES);
    };
    let room = max_bytes.saturating_sub(message_bytes.unwrap_or(0));
    match usize::try_from(header.payload_bytes) {
        Ok(bytes) if bytes <= room.min(max_frame_bytes) => Ok(()),
        Ok(bytes) if bytes <= room => Err(Close::FRAME_TOO_BIG),
        _ => Err(Close::TOO_BIG),
    }
}
