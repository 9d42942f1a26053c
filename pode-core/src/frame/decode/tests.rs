//! One test for each rule, and for the memory kept per client. Properties of
//! whole byte streams are in `tests/frames/`.

use proptest::prelude::*;

use super::*;

const UP_TO_100: AcceptPolicy = AcceptPolicy::messages(100);
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame whose announced length is its length.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    part_of_frame(first, payload, payload.len() as u64)
}

/// A frame up to the end of this part of its payload.
fn part_of_frame(first: u8, part: &[u8], payload_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload_bytes {
        0..126 => bytes.push(0x80 | payload_bytes as u8),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((payload_bytes as u16).to_be_bytes());
        }
        0x1_0000.. => {
            bytes.push(0x80 | 127);
            bytes.extend(payload_bytes.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(part.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Gives the decoder one read; returns the results, in Debug form, and the
/// verdict.
fn read(
    decoder: &mut Decoder,
    bytes: &[u8],
    incoming: AcceptPolicy,
) -> (Vec<String>, Option<Close>) {
    let mut buffer = bytes.to_vec();
    let mut input = &mut buffer[..];
    let mut said = Vec::new();
    loop {
        match decoder.next(&mut input, incoming) {
            Ok(Some(next)) => said.push(format!("{next:?}")),
            Ok(None) => {
                assert!(input.is_empty(), "{} bytes were left behind", input.len());
                return (said, None);
            }
            Err(close) => return (said, Some(close)),
        }
    }
}

/// Checks the results when the bytes arrive one by one, and all at once.
#[track_caller]
fn check(bytes: &[u8], expected: &[&str], verdict: Option<u16>) {
    let mut decoder = Decoder::default();
    let at_once = read(&mut decoder, bytes, UP_TO_100);
    assert_eq!(at_once.0, expected);
    assert_eq!(at_once.1.as_ref().and_then(Close::code), verdict);

    let mut decoder = Decoder::default();
    let mut one_by_one = (Vec::new(), None);
    for byte in bytes {
        let (said, close) = read(&mut decoder, &[*byte], UP_TO_100);
        one_by_one.0.extend(said);
        one_by_one.1 = close;
        if one_by_one.1.is_some() {
            break;
        }
    }
    assert_eq!(one_by_one, at_once);
}

#[test]
fn each_kind_of_frame_is_told() {
    check(&frame(0x81, "é".as_bytes()), &[r#"Text("é")"#], None);
    check(&frame(0x82, &[1, 2, 3, 4, 5]), &["Binary([1, 2, 3, 4, 5])"], None);
    check(&frame(0x89, b"?"), &["Ping([63])"], None);
    check(&frame(0x8a, b""), &["Pong([])"], None);
    check(&[frame(0x81, b""), frame(0x82, b"")].concat(), &[r#"Text("")"#, "Binary([])"], None);
}

#[test]
fn a_close_is_told_with_its_answer() {
    let answer = Close::answer_to(&[3, 0xe8]);
    check(&frame(0x88, b"\x03\xe8bye"), &[&format!("Close({answer:?})")], None);
}

#[test]
fn a_message_may_come_in_several_frames() {
    let frames = [frame(0x01, b"a"), frame(0x00, b""), frame(0x00, b"b"), frame(0x80, b"c")];
    check(&frames.concat(), &[r#"Text("abc")"#], None);
    let empty = [frame(0x02, b""), frame(0x80, b"")].concat();
    check(&[empty, frame(0x82, b"")].concat(), &["Binary([])", "Binary([])"], None);
}

#[test]
fn control_frames_may_stand_between_the_frames_of_a_message() {
    let frames = [frame(0x01, b"a"), frame(0x89, b"?"), frame(0x8a, b"!"), frame(0x80, b"b")];
    check(&frames.concat(), &["Ping([63])", "Pong([33])", r#"Text("ab")"#], None);
}

#[test]
fn a_message_inside_another_is_refused() {
    check(&[frame(0x01, b"a"), frame(0x81, b"b")].concat(), &[], Some(1002));
    check(&[frame(0x02, b"a"), frame(0x02, b"b")].concat(), &[], Some(1002));
}

#[test]
fn a_continuation_of_nothing_is_refused() {
    check(&frame(0x80, b"a"), &[], Some(1002));
    check(&frame(0x00, b"a"), &[], Some(1002));
    let after_the_end = [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")].concat();
    check(&after_the_end, &[r#"Text("ab")"#], Some(1002));
}

#[test]
fn what_no_client_may_send_is_refused() {
    check(b"\x81\x00", &[], Some(1002));
    check(&[frame(0x8a, b""), b"\x09\x80".to_vec()].concat(), &["Pong([])"], Some(1002));
}

#[test]
fn a_character_may_be_cut_anywhere() {
    let text = "a é 語 🙂".as_bytes();
    for cut in 0..=text.len() {
        let (head, tail) = text.split_at(cut);
        let frames = [frame(0x01, head), frame(0x00, b""), frame(0x80, tail)];
        check(&frames.concat(), &[r#"Text("a é 語 🙂")"#], None);
    }
}

#[test]
fn what_is_no_utf_8_is_told_at_once() {
    let told = |bytes: &[u8], payload_bytes| {
        check(&part_of_frame(0x81, bytes, payload_bytes), &[], Some(1007));
        check(&part_of_frame(0x01, bytes, payload_bytes), &[], Some(1007));
    };
    told(b"a\xff", 100);
    told(b"\xc3(", 100);
    told(b"\xed\xa0", 100); // Half of a surrogate pair.
    told(b"\xf4\x90", 100); // Beyond the last character.
    told(b"\xc0", 100); // "/" in two bytes begins so.
    check(&part_of_frame(0x81, b"a\xf4\x8f\xbf", 100), &[], None);
    check(
        &[frame(0x01, b"\xc3"), frame(0x89, b""), frame(0x00, b"(")].concat(),
        &["Ping([])"],
        Some(1007),
    );
}

#[test]
fn a_text_does_not_end_within_a_character() {
    check(&frame(0x81, b"\xc3"), &[], Some(1007));
    check(&[frame(0x01, b"a\xe8"), frame(0x80, b"\xaa")].concat(), &[], Some(1007));
    check(&[frame(0x01, b"a\xe8"), frame(0x80, b"")].concat(), &[], Some(1007));
}

#[test]
fn bytes_need_not_be_utf_8() {
    check(&[frame(0x02, b"\xff"), frame(0x80, b"\xc3")].concat(), &["Binary([255, 195])"], None);
}

#[test]
fn a_message_of_too_many_bytes_is_refused_by_its_header() {
    let full = [7; 100];
    let expected = format!("Binary({full:?})");
    check(&frame(0x82, &full), &[&expected], None);
    check(&part_of_frame(0x82, b"", 101), &[], Some(1009));
    check(&part_of_frame(0x01, b"", i64::MAX as u64), &[], Some(1009));

    let (head, tail) = full.split_at(60);
    check(&[frame(0x02, head), frame(0x80, tail)].concat(), &[&expected], None);
    check(&[frame(0x02, head), part_of_frame(0x00, b"", 41)].concat(), &[], Some(1009));
    let overflow = [frame(0x02, head), part_of_frame(0x80, b"", i64::MAX as u64)].concat();
    check(&overflow, &[], Some(1009));
}

#[test]
fn control_frames_may_be_longer_than_messages() {
    let said = read(&mut Decoder::default(), &frame(0x89, &[7; 125]), AcceptPolicy::messages(0));
    assert_eq!(said, (vec![format!("Ping({:?})", [7; 125])], None));
}

#[test]
fn where_nothing_is_taken_the_header_of_a_message_is_refused() {
    let read = |bytes: &[u8]| read(&mut Decoder::default(), bytes, AcceptPolicy::Nothing);
    for first in [0x81, 0x82, 0x01, 0x02] {
        assert_eq!(read(&part_of_frame(first, b"", 1000)), (vec![], Some(Close::NO_MESSAGES)));
    }
    assert_eq!(read(&frame(0x80, b"")), (vec![], Some(NOTHING_TO_CONTINUE)));
    assert_eq!(read(&frame(0x89, b"")), (vec!["Ping([])".to_owned()], None));
}

#[test]
fn a_caller_may_stop_and_go_on_later() {
    let mut buffer =
        [frame(0x89, b"1"), frame(0x89, b"2"), frame(0x89, b"3")[..3].to_vec()].concat();
    let mut decoder = Decoder::default();
    let mut input = &mut buffer[..];
    assert_eq!(decoder.next(&mut input, UP_TO_100), Ok(Some(Received::Ping(b"1"))));
    let rest = [input, &frame(0x89, b"3")[3..]].concat();
    let (said, verdict) = read(&mut decoder, &rest, UP_TO_100);
    assert_eq!((said, verdict), (vec!["Ping([50])".to_owned(), "Ping([51])".to_owned()], None));
}

#[test]
fn a_decoder_is_one_pointer() {
    assert_eq!(size_of::<Decoder>(), size_of::<usize>());
}

#[test]
fn what_stands_whole_in_the_input_is_not_copied() {
    let mut buffer = [frame(0x81, b"text"), frame(0x82, b"bytes"), frame(0x89, b"ping")].concat();
    let memory = buffer.as_ptr_range();
    let mut decoder = Decoder::default();
    let mut input = &mut buffer[..];
    while let Some(said) = decoder.next(&mut input, UP_TO_100).unwrap() {
        let payload = match said {
            Received::Text(text) => text.as_bytes(),
            Received::Binary(payload) | Received::Ping(payload) => payload,
            other => panic!("nobody said {other:?}"),
        };
        assert!(memory.contains(&payload.as_ptr()));
        assert!(decoder.partial.is_none());
    }
}

#[test]
fn memory_is_given_back_when_nothing_is_unfinished() {
    let frames = [
        frame(0x81, b"text"),
        frame(0x89, b"ping"),
        [frame(0x01, b"in "), frame(0x89, b"!"), frame(0x80, b"parts")].concat(),
    ];
    for frame in frames {
        for cut in 1..frame.len() {
            let mut decoder = Decoder::default();
            read(&mut decoder, &frame[..cut], UP_TO_100);
            assert!(decoder.partial.is_some());
            let (said, _) = read(&mut decoder, &frame[cut..], UP_TO_100);
            assert!(!said.is_empty());
            assert!(decoder.partial.is_none(), "cut at {cut}");
        }
    }
}

#[test]
fn nothing_is_kept_of_who_is_refused_or_has_closed() {
    let partial = frame(0x01, b"unfinished");
    let closing = frame(0x88, b"\x03\xe8");
    let inside_another = frame(0x81, b"");
    let cut_off = frame(0x80, b"\xc3");
    for last in [&closing[..], b"\xff\xff", &inside_another, &cut_off] {
        for cut in 0..last.len() {
            let mut decoder = Decoder::default();
            read(&mut decoder, &partial, UP_TO_100);
            read(&mut decoder, &last[..cut], UP_TO_100);
            let mut rest = last[cut..].to_vec();
            let _ = decoder.next(&mut &mut rest[..], UP_TO_100);
            assert!(decoder.partial.is_none());
        }
    }
}

#[test]
fn what_is_announced_takes_no_memory() {
    let mut decoder = Decoder::default();
    let incoming = AcceptPolicy::messages(usize::MAX);
    read(&mut decoder, &part_of_frame(0x82, b"few", i64::MAX as u64), incoming);
    assert_eq!(kept_bytes(&decoder), 6);
}

/// How much memory is allocated for a client's bytes.
fn kept_bytes(decoder: &Decoder) -> usize {
    decoder.partial.as_ref().map_or(0, |partial| partial.capacity_bytes())
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![0x01, 0x02, 0x00, 0x00, 0x00, 0x80, 0x81, 0x89, 0x8a]);
    let payload = prop::collection::vec(prop::sample::select(b"abc".to_vec()), 0..125);
    prop::collection::vec((first, payload), 1..20).prop_map(|frames| {
        frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
    })
}

proptest! {
    #[test]
    fn a_client_makes_the_server_keep_little(
        bytes in frames(),
        read_bytes in 1..200_usize,
        max_bytes in 0..500_usize,
    ) {
        let mut decoder = Decoder::default();
        let mut sent = 0;
        for part in bytes.chunks(read_bytes) {
            sent += part.len();
            if read(&mut decoder, part, AcceptPolicy::messages(max_bytes)).1.is_some() {
                break;
            }
            prop_assert!(kept_bytes(&decoder) <= (2 * sent).min(max_bytes + 125));
        }
    }
}

#[test]
fn a_frame_has_its_own_bound() {
    let incoming = AcceptPolicy::Messages { max_bytes: 100, max_frame_bytes: 10 };
    let heard = |stream: &[u8]| read(&mut Decoder::default(), stream, incoming);
    assert_eq!(heard(&frame(0x82, &[7; 10])).1, None);
    assert_eq!(heard(&frame(0x82, &[7; 11])).1, Some(Close::FRAME_TOO_BIG));
    assert_eq!(heard(&frame(0x82, &[7; 101])).1, Some(Close::TOO_BIG));
    let parts = [frame(0x02, &[7; 10]), frame(0x00, &[7; 10]), frame(0x80, &[7; 10])].concat();
    assert_eq!(heard(&parts).1, None);
}

#[test]
fn a_message_has_few_empty_frames() {
    let message = |empty: usize| {
        let parts = [frame(0x02, b""), frame(0x00, b"").repeat(empty - 1), frame(0x80, b"")];
        read(&mut Decoder::default(), &parts.concat(), UP_TO_100).1
    };
    assert_eq!(message(1000), None);
    assert_eq!(message(1001), Some(Close::TOO_MANY_EMPTY));
    // Several messages are counted separately.
    let empty = [frame(0x02, b""), frame(0x00, b"").repeat(900), frame(0x80, b"")].concat();
    assert_eq!(read(&mut Decoder::default(), &empty.repeat(3), UP_TO_100).1, None);
}

#[test]
fn who_trickles_falls_behind() {
    let mut decoder = Decoder::default();
    assert!(!decoder.falls_behind(10) && !decoder.falls_behind(10), "nothing has begun");
    let message = frame(0x82, &[7; 90]);
    let mut parts = message.chunks(10);
    let mut hear = |decoder: &mut Decoder| read(decoder, parts.next().unwrap(), UP_TO_100).1;
    assert_eq!(hear(&mut decoder), None);
    assert!(!decoder.falls_behind(10), "it has just begun");
    assert_eq!(hear(&mut decoder), None);
    assert!(!decoder.falls_behind(10));
    assert_eq!(hear(&mut decoder), None);
    assert!(decoder.falls_behind(11));
    decoder.excuse();
    assert!(!decoder.falls_behind(10));
    assert!(decoder.falls_behind(1));
}
