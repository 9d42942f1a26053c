//! A client that sends everything it may send, in every form that is allowed.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::stream::Heard;

const FINAL: u8 = 0x80;
const CONTINUATION: u8 = 0x00;
const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A frame with as many bytes as its length says, in the shortest form.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The final bit, the reserved bits and the opcode.
    pub(crate) first: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        match self.payload.len() {
            length @ 0..126 => bytes.push(masked | length as u8),
            length @ 126..0x1_0000 => {
                bytes.push(masked | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(self.mask.iter().flatten());
        let mask = self.mask.unwrap_or_default();
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }
}

pub(crate) fn encode(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::encode).collect()
}

/// The expected messages and control frames, and the frames that carry them.
#[derive(Clone, Debug)]
pub(crate) struct Speech {
    pub(crate) heard: Vec<Heard>,
    pub(crate) frames: Vec<Frame>,
}

/// Messages in frames of any length, with control frames anywhere between them.
pub(crate) fn speeches() -> impl Strategy<Value = Speech> {
    prop::collection::vec(parts(), 0..6).prop_map(|parts| {
        let mut speech = Speech { heard: Vec::new(), frames: Vec::new() };
        for parts in parts {
            parts.say(&mut speech);
        }
        speech
    })
}

/// A message, where it is cut into frames, and what follows each frame.
#[derive(Clone, Debug)]
struct Parts {
    message: Heard,
    cuts: Vec<Index>,
    /// For each frame its mask, and perhaps a control frame after it.
    following: Vec<([u8; 4], Option<Frame>)>,
}

fn parts() -> impl Strategy<Value = Parts> {
    const MOST_CUTS: usize = 4;
    let following = (any::<[u8; 4]>(), prop::option::weighted(0.3, controls()));
    (
        messages(),
        prop::collection::vec(any::<Index>(), 0..=MOST_CUTS),
        prop::collection::vec(following, MOST_CUTS + 1),
    )
        .prop_map(|(message, cuts, following)| Parts { message, cuts, following })
}

impl Parts {
    fn say(self, speech: &mut Speech) {
        let (opcode, payload) = match &self.message {
            Heard::Text(text) => (TEXT, text.as_bytes()),
            Heard::Binary(payload) => (BINARY, &payload[..]),
            Heard::Ping(_) | Heard::Pong(_) => unreachable!("messages are text or binary"),
        };
        let mut cuts: Vec<_> = self.cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.sort_unstable();
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([payload.len()]);
        for (number, ((start, end), (mask, control))) in
            starts.zip(ends).zip(self.following).enumerate()
        {
            let is_last = number == cuts.len();
            let opcode = if number == 0 { opcode } else { CONTINUATION };
            speech.frames.push(Frame {
                first: opcode | if is_last { FINAL } else { 0 },
                mask: Some(mask),
                payload: payload[start..end].to_vec(),
            });
            if is_last {
                speech.heard.push(self.message.clone());
            }
            if let Some(control) = control {
                let payload = control.payload.clone();
                let is_ping = control.first == PING;
                speech.heard.push(if is_ping { Heard::Ping } else { Heard::Pong }(payload));
                speech.frames.push(control);
            }
        }
    }
}

fn messages() -> impl Strategy<Value = Heard> {
    let characters = prop::collection::vec(any::<char>(), 0..100);
    let bytes = |length| prop::collection::vec(any::<u8>(), length);
    prop_oneof![
        20 => characters.prop_map(|text| Heard::Text(text.into_iter().collect())),
        20 => bytes(0..300).prop_map(Heard::Binary),
        1 => bytes(65_530..65_540).prop_map(Heard::Binary),
    ]
}

fn controls() -> impl Strategy<Value = Frame> {
    let first = prop::sample::select(vec![PING, PONG]);
    let payload = prop::collection::vec(any::<u8>(), 0..=125);
    (first, any::<[u8; 4]>(), payload).prop_map(|(first, mask, payload)| Frame {
        first,
        mask: Some(mask),
        payload,
    })
}
