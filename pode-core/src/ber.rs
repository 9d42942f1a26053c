//! BER (ITU-T X.690) into DER, as far as PKCS#12 files need it.
//!
//! Files of NSS (`pk12util`) and Bouncy Castle have indefinite lengths, and
//! strings in several pieces. Whoever reads such files expects DER, where each
//! value has one form.

use crate::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, any_element, element};

/// A tag with this bit has elements as its content.
const CONSTRUCTED: u8 = 0x20;

/// The context-specific tag 0, constructed.
const TAGGED_0: u8 = 0xa0;

/// How deep elements may nest; a PKCS#12 file has some ten levels.
const MAX_LEVELS: usize = 32;

/// Returns the same in DER; `None` if it is neither, has anything behind it, or
/// nests deeper than 32 levels. What is DER already stays as it is.
///
/// A string without a tag of its own can't be told from a tagged string, unless
/// one knows what it is. The only one of PKCS#12 is known by its place: the
/// encrypted content behind its type and its algorithm (RFC 5652, section 6.1).
/// The inside of strings isn't looked at.
pub fn to_der(ber: &[u8]) -> Option<Vec<u8>> {
    let (whole, behind) = read(ber, 0)?;
    behind.is_empty().then(|| write(whole.tag, &whole.content))
}

/// Returns a PKCS#12 file (RFC 7292, section 4), which is in DER, with its
/// content in DER, too, and without its MAC, which is that of the content as it
/// was; `None` if it is none.
pub fn content_to_der(pkcs12: &[u8]) -> Option<Vec<u8>> {
    let (whole, _) = element(pkcs12, SEQUENCE)?;
    let (version, rest) = element(whole, INTEGER)?;
    let (info, _) = element(rest, SEQUENCE)?;
    let (content_type, rest) = element(info, OBJECT_IDENTIFIER)?;
    let (content, _) = element(element(rest, TAGGED_0)?.0, OCTET_STRING)?;
    let content = write(TAGGED_0, &write(OCTET_STRING, &to_der(content)?));
    let info = write(SEQUENCE, &[write(OBJECT_IDENTIFIER, content_type), content].concat());
    Some(write(SEQUENCE, &[write(INTEGER, version), info].concat()))
}

struct Element {
    tag: u8,
    /// In DER.
    content: Vec<u8>,
    /// The content of its pieces, if it can be a string in pieces.
    joined: Option<Vec<u8>>,
}

/// Splits an element from what is behind it.
fn read(ber: &[u8], level: usize) -> Option<(Element, &[u8])> {
    let (&[tag, length], behind) = ber.split_first_chunk()?;
    let [is_constructed, is_indefinite] = [tag & CONSTRUCTED != 0, length == 0x80];
    // A tag of several bytes begins with five ones; PKCS#12 has none.
    if tag & 0x1f == 0x1f || level == MAX_LEVELS || is_indefinite && !is_constructed {
        return None;
    }
    let (mut inner, mut rest) = match is_indefinite {
        true => (behind, behind),
        false => any_element(ber).map(|(_, content, rest)| (content, rest))?,
    };
    if !is_constructed {
        return Some((Element { tag, content: inner.to_vec(), joined: None }, rest));
    }
    let mut parts = Vec::new();
    while is_indefinite || !inner.is_empty() {
        if let Some(end) = inner.strip_prefix(&[0, 0]).filter(|_| is_indefinite) {
            rest = end;
            break;
        }
        let part;
        (part, inner) = read(inner, level + 1)?;
        parts.push(part);
    }
    let are_pieces = parts.iter().all(|part: &Element| part.tag == OCTET_STRING);
    let join = || parts.iter().flat_map(|part| part.content.iter().copied()).collect();
    if tag == OCTET_STRING | CONSTRUCTED {
        let content = are_pieces.then(join)?;
        return Some((Element { tag: OCTET_STRING, content, joined: None }, rest));
    }
    let joined = (are_pieces && is_indefinite && tag == TAGGED_0).then(join);
    if let [kind, algorithm, string] = &mut parts[..]
        && [tag, kind.tag, algorithm.tag] == [SEQUENCE, OBJECT_IDENTIFIER, SEQUENCE]
        && let Some(joined) = string.joined.take()
    {
        (string.tag, string.content) = (TAGGED_0 & !CONSTRUCTED, joined);
    }
    let content = parts.iter().flat_map(|part| write(part.tag, &part.content)).collect();
    Some((Element { tag, content, joined }, rest))
}

/// Returns an element in DER.
fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().take_while(|digit| **digit == 0).count()..];
    let mut element = vec![tag];
    match digits {
        [] => element.push(0),
        [short @ ..0x80] => element.push(*short),
        _ => {
            element.push(0x80 | digits.len() as u8);
            element.extend(digits);
        }
    }
    element.extend(content);
    element
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value, which has one form in DER and others in BER.
    #[derive(Clone, Debug)]
    enum Value {
        Plain(u8, Vec<u8>),
        Octets(Vec<Vec<u8>>),
        Several(u8, Vec<Value>),
        /// Encrypted content, in pieces.
        Encrypted(Vec<Vec<u8>>),
    }

    const TYPE: [u8; 3] = [OBJECT_IDENTIFIER, 1, 0x2a];
    const ALGORITHM: [u8; 2] = [SEQUENCE, 0];

    impl Value {
        fn der(&self) -> Vec<u8> {
            match self {
                Value::Plain(tag, content) => write(*tag, content),
                Value::Octets(pieces) => write(OCTET_STRING, &pieces.concat()),
                Value::Several(tag, values) => {
                    write(*tag, &values.iter().flat_map(Value::der).collect::<Vec<_>>())
                }
                Value::Encrypted(pieces) => {
                    let string = write(0x80, &pieces.concat());
                    write(SEQUENCE, &[&TYPE[..], &ALGORITHM, &string].concat())
                }
            }
        }

        fn ber(&self) -> Vec<u8> {
            let endless = |tag: u8, content: &[u8]| [&[tag, 0x80], content, &[0, 0]].concat();
            let in_pieces = |tag, pieces: &[Vec<u8>]| {
                let pieces = pieces.iter().enumerate().flat_map(|(index, piece)| match index {
                    0 => endless(0x24, &write(OCTET_STRING, piece)),
                    // A length in more bytes than it needs.
                    _ => [&[OCTET_STRING, 0x82, 0, piece.len() as u8][..], piece].concat(),
                });
                endless(tag, &pieces.collect::<Vec<_>>())
            };
            match self {
                Value::Plain(tag, content) => write(*tag, content),
                Value::Octets(pieces) => in_pieces(0x24, pieces),
                Value::Several(tag, values) => {
                    endless(*tag, &values.iter().flat_map(Value::ber).collect::<Vec<_>>())
                }
                Value::Encrypted(pieces) => {
                    let string = in_pieces(TAGGED_0, pieces);
                    endless(SEQUENCE, &[&TYPE[..], &ALGORITHM, &string].concat())
                }
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..200);
        let pieces = || prop::collection::vec(bytes(), 0..4);
        let leaf = prop_oneof![
            (prop::sample::select(vec![2, 3, 5, 0x80]), bytes())
                .prop_map(|(tag, content)| Value::Plain(tag, content)),
            pieces().prop_map(Value::Octets),
            pieces().prop_map(Value::Encrypted),
        ];
        leaf.prop_recursive(6, 40, 5, |value| {
            let tags = prop::sample::select(vec![SEQUENCE, 0x31, TAGGED_0, 0xa1]);
            (tags, prop::collection::vec(value, 0..5))
                .prop_map(|(tag, values)| Value::Several(tag, values))
        })
    }

    proptest! {
        #[test]
        fn each_form_of_a_value_becomes_its_der(value in value()) {
            let der = value.der();
            prop_assert_eq!(to_der(&value.ber()), Some(der.clone()));
            prop_assert_eq!(to_der(&der), Some(der));
        }

        #[test]
        fn any_bytes_are_judged(
            value in value(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut ber = value.ber();
            for (index, byte) in changes {
                let index = index.index(ber.len());
                ber[index] = byte;
            }
            for file in [&ber, &bytes] {
                let der = to_der(file);
                let _ = content_to_der(file);
                if let Some(der) = der {
                    prop_assert_eq!(to_der(&der), Some(der.clone()), "it is DER");
                }
            }
        }
    }

    #[test]
    fn what_is_neither_ber_nor_der_is_none() {
        let deep =
            |levels: usize| [[SEQUENCE, 0x80].repeat(levels), [0, 0].repeat(levels)].concat();
        assert!(to_der(&deep(MAX_LEVELS)).is_some());
        for none in [
            &[][..],
            &[SEQUENCE],
            &[SEQUENCE, 0x80],
            &[SEQUENCE, 0x80, 0],
            &[SEQUENCE, 1, 2],
            &[SEQUENCE, 0, 0],
            &[OCTET_STRING, 0x80, 0, 0],
            &[0x24, 0x80, INTEGER, 0, 0, 0],
            &[0x3f, 0x81, 0, 0],
            &deep(MAX_LEVELS + 1),
            &[SEQUENCE, 0x80].repeat(1 << 20),
        ] {
            assert_eq!(to_der(none), None, "{:?}", &none[..none.len().min(9)]);
        }
    }
}
