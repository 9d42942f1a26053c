//! Which part of a file a request asks for (RFC 9110, section 14).

use std::ops::Range;

use http::header::{HeaderMap, RANGE};

/// What of a file a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Requested {
    /// All of it.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// A part behind its end, or of no bytes.
    Nothing,
}

/// Reads the `Range` of a request for a file of so many bytes.
///
/// Only one range of bytes is understood. Several ranges, other units and
/// whatever is invalid mean the whole file, as the RFC allows.
pub(crate) fn requested(headers: &HeaderMap, bytes: u64) -> Requested {
    let mut lines = headers.get_all(RANGE).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => read(line.as_bytes(), bytes).unwrap_or(Requested::Whole),
        _ => Requested::Whole,
    }
}

fn read(line: &[u8], bytes: u64) -> Option<Requested> {
    let (unit, ranges) = line.split_at_checked(b"bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let ranges = ranges.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let mut ranges = ranges.filter(|range| !range.is_empty());
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return None;
    };
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let part = match (&range[..dash], &range[dash + 1..]) {
        // The last bytes.
        ([], count) => bytes.saturating_sub(number(count)?)..bytes,
        (first, []) => number(first)?..bytes,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(bytes)
        }
    };
    match part.is_empty() {
        false => Some(Requested::Part(part)),
        // Some clients ask for a part of each file, which an empty one lacks.
        true if bytes == 0 => None,
        true => Some(Requested::Nothing),
    }
}

/// Reads a number; one that is too large becomes the largest.
fn number(digits: &[u8]) -> Option<u64> {
    let step = |number: u64, digit: &u8| {
        digit
            .is_ascii_digit()
            .then(|| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, step) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn asked(line: &[u8], bytes: u64) -> Requested {
        let line = HeaderValue::from_bytes(line).unwrap();
        requested(&HeaderMap::from_iter([(RANGE, line)]), bytes)
    }

    #[test]
    fn one_range_of_bytes_is_a_part() {
        use Requested::{Nothing, Part, Whole};
        for (line, expected) in [
            ("bytes=0-1", Part(0..2)),
            ("bytes=3-3", Part(3..4)),
            ("bytes=4-", Part(4..10)),
            ("bytes=0-", Part(0..10)),
            ("bytes=-3", Part(7..10)),
            ("bytes=-99", Part(0..10)),
            ("bytes=9-99", Part(9..10)),
            ("Bytes= , 0007-8\t,", Part(7..9)),
            ("bytes=2-99999999999999999999999999", Part(2..10)),
            ("bytes=-99999999999999999999999999", Part(0..10)),
            ("bytes=10-", Nothing),
            ("bytes=10-12", Nothing),
            ("bytes=99999999999999999999999999-", Nothing),
            ("bytes=-0", Nothing),
            ("bytes=0-1,3-4", Whole),
            ("bytes=2-1", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes=1", Whole),
            ("bytes=--1", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1 - 2", Whole),
            ("bytes =1-2", Whole),
            ("bytes 1-2", Whole),
            ("items=0-1", Whole),
            ("", Whole),
        ] {
            assert_eq!(asked(line.as_bytes(), 10), expected, "{line}");
        }
        for line in ["bytes=0-", "bytes=-5", "bytes=0-0"] {
            assert_eq!(asked(line.as_bytes(), 0), Whole, "{line}");
        }
        let twice = [(RANGE, "bytes=0-1"), (RANGE, "bytes=0-1")];
        let twice = twice.map(|(name, line)| (name, HeaderValue::from_static(line)));
        let mut headers = HeaderMap::new();
        twice.into_iter().for_each(|(name, line)| _ = headers.append(name, line));
        assert_eq!(requested(&headers, 10), Whole);
    }

    /// The same by the words of the RFC, one byte of the file after the other.
    fn by_definition(line: &str, bytes: u64) -> Requested {
        // Numbers beyond those of 64 bits are alike.
        let number = |text: &str| -> Option<u128> {
            let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            is_number.then(|| text.parse().unwrap_or(u128::MAX).min(u64::MAX.into()))
        };
        let Some((unit, set)) = line.split_once('=') else { return Requested::Whole };
        let set: Vec<&str> = set
            .split(',')
            .map(|range| range.trim_matches([' ', '\t']))
            .filter(|range| !range.is_empty())
            .collect();
        let (true, [range], true) = (unit.eq_ignore_ascii_case("bytes"), &set[..], bytes > 0)
        else {
            return Requested::Whole;
        };
        let Some((first, last)) = range.split_once('-') else { return Requested::Whole };
        let is_chosen: Box<dyn Fn(u128) -> bool> = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => {
                Box::new(move |place| first <= place && place <= last)
            }
            (Some(first), None) if last.is_empty() => Box::new(move |place| first <= place),
            (None, Some(count)) if first.is_empty() => {
                Box::new(move |place| u128::from(bytes) - place <= count)
            }
            _ => return Requested::Whole,
        };
        let chosen: Vec<u64> = (0..bytes).filter(|place| is_chosen(u128::from(*place))).collect();
        match chosen[..] {
            [] => Requested::Nothing,
            [first, ..] => Requested::Part(first..first + chosen.len() as u64),
        }
    }

    proptest! {
        #[test]
        fn ranges_are_those_of_the_definition(
            parts in prop::collection::vec(
                prop_oneof![
                    4 => (0_u64..40).prop_map(|number| number.to_string()),
                    4 => Just("-".to_owned()),
                    1 => prop::sample::select(vec![",", " ", "\t", "=", "+", "0", "x", "bytes=", "é",
                        "18446744073709551615", "18446744073709551616"]).prop_map(str::to_owned),
                ],
                0..6,
            ),
            unit in prop::sample::select(vec!["bytes=", "BYTES=", "bytes =", "bytes", "items=", ""]),
            bytes in 0_u64..32,
        ) {
            let line = format!("{unit}{}", parts.concat());
            prop_assert_eq!(asked(line.as_bytes(), bytes), by_definition(&line, bytes), "{:?}", line);
        }

        #[test]
        fn a_part_lies_within_its_file_whatever_is_asked(
            line in prop::collection::vec(any::<u8>().prop_filter("a header", |byte| *byte >= b' ' && *byte != 127), 0..40),
            with_unit: bool,
            bytes: u64,
        ) {
            let line = [if with_unit { &b"bytes="[..] } else { b"" }, &line].concat();
            if let Requested::Part(part) = asked(&line, bytes) {
                prop_assert!(part.start < part.end && part.end <= bytes);
            }
        }
    }
}
