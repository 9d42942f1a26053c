//! DER (ITU-T X.690), as far as it is needed to find something in a
//! certificate: consecutive and nested elements.

/// The tag of a sequence.
pub(crate) const SEQUENCE: u8 = 0x30;
/// The tag of an integer.
pub(crate) const INTEGER: u8 = 0x02;
/// The tag of an object identifier.
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
/// The tag of a string of bytes.
pub(crate) const OCTET_STRING: u8 = 0x04;

/// Splits an element of this tag into its content and the rest after it.
pub(crate) fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any_element(der)?;
    (found == tag).then_some((content, rest))
}

/// Splits an element into its tag, its content, and the rest after it.
pub(crate) fn any_element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], mut rest) = der.split_first_chunk()?;
    let mut size = usize::from(length);
    if length >= 0x80 {
        // The other bits count the bytes of the length.
        let bytes = usize::from(length & 0x7f);
        if bytes > 4 {
            return None;
        }
        let digits;
        (digits, rest) = rest.split_at_checked(bytes)?;
        size = digits.iter().fold(0, |size, digit| size << 8 | usize::from(*digit));
    }
    let (content, rest) = rest.split_at_checked(size)?;
    Some((tag, content, rest))
}

/// Returns consecutive elements, up to the end or to the first malformed one.
pub(crate) fn elements(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = any_element(der)?;
        der = rest;
        Some((tag, content))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_may_take_several_bytes() {
        let long = [&[0x30, 0x81, 0x80], &[7; 0x80][..], b"rest"].concat();
        assert_eq!(element(&long, SEQUENCE), Some((&[7; 0x80][..], &b"rest"[..])));
        assert_eq!(element(&long, OCTET_STRING), None);
        assert_eq!(any_element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(any_element(&[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 1, 7]), None);
    }

    #[test]
    fn elements_end_where_nothing_more_can_be_read() {
        let three = [2, 1, 5, 4, 0, 2, 9];
        let found: Vec<_> = elements(&three).collect();
        assert_eq!(found, [(2, &[5][..]), (4, &[][..])]);
    }
}
