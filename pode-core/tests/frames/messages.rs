//! The decoder returns what a client sends, and decodes any bytes alike however
//! they are cut.

use pode_core::frame::AcceptPolicy;
use proptest::prelude::*;

use crate::client::{encode, speeches};
use crate::stream::{Conversation, End, Reads, check, decode};

fn reads() -> impl Strategy<Value = Reads> {
    let bytes = prop_oneof![
        prop::collection::vec(1..20_usize, 1..20),
        prop::collection::vec(1..5000_usize, 1..20)
    ];
    (bytes, any::<bool>()).prop_map(|(bytes, stop_after_pings)| Reads { bytes, stop_after_pings })
}

proptest! {
    #[test]
    fn what_is_said_is_heard(speech in speeches(), reads in reads()) {
        let incoming = AcceptPolicy::messages(1 << 17);
        let heard = decode(&encode(&speech.frames), incoming, &reads);
        prop_assert_eq!(heard, Conversation { heard: speech.heard, end: End::Open });
    }

    #[test]
    fn what_is_said_may_be_cut_anywhere(speech in speeches()) {
        check(&encode(&speech.frames));
    }

    #[test]
    fn any_bytes_may_be_cut_anywhere(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }
}
