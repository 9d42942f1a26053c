//! The masks of clients' payloads (RFC 6455, section 5.3).

/// Unmasks a payload, or a part of one, in place.
///
/// The first byte is masked with the first of the mask, and so on in a cycle.
/// For the next part of a payload, [rotate](turn) the mask by this part's
/// length.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// Returns the mask for a payload's part that begins so many bytes later.
pub(super) fn turn(mut mask: [u8; 4], bytes: usize) -> [u8; 4] {
    mask.rotate_left(bytes % 4);
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_repeats_every_four_bytes() {
        let mask = [1, 2, 4, 8];
        for length in 0..40 {
            let mut payload = vec![0; length];
            unmask(&mut payload, mask);
            let expected: Vec<u8> = mask.into_iter().cycle().take(length).collect();
            assert_eq!(payload, expected);
        }
    }

    #[test]
    fn a_mask_goes_on_where_a_payload_is_cut() {
        let mask = [1, 2, 4, 8];
        let mut whole = *b"a payload of more than sixteen bytes";
        unmask(&mut whole, mask);
        for cut in 0..whole.len() {
            let mut parts = *b"a payload of more than sixteen bytes";
            unmask(&mut parts[..cut], mask);
            unmask(&mut parts[cut..], turn(mask, cut));
            assert_eq!(parts, whole);
        }
    }
}
