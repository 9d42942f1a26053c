//! Chance.

use std::hash::{BuildHasher, RandomState};

/// Returns a random number from 0 (inclusive) to 1 (exclusive).
pub(crate) fn chance() -> f64 {
    // Each state has random keys of its own. Uses as many bits as a mantissa
    // has.
    const BITS: u32 = f64::MANTISSA_DIGITS;
    let random = RandomState::new().hash_one(()) >> (u64::BITS - BITS);
    random as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_spread_from_0_up_to_1() {
        let drawn: Vec<f64> = std::iter::repeat_with(chance).take(1_000).collect();
        assert!(drawn.iter().all(|drawn| (0.0..1.0).contains(drawn)));
        for tenth in 0..10 {
            let inside = drawn.iter().filter(|drawn| (**drawn * 10.0) as usize == tenth);
            assert!(inside.count() > 50, "{tenth}");
        }
    }
}
