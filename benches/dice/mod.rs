//! Random numbers, the same in each run of a seed.

/// A xorshift generator: good enough to spread faults and clients.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Makes a generator of a seed and of what it is for.
    pub(crate) fn new(seed: u64, purpose: u64) -> Dice {
        let mixed = (seed << 16).wrapping_add(purpose + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut dice = Dice((mixed ^ mixed >> 29) | 1);
        for _ in 0..8 {
            dice.below(2);
        }
        dice
    }

    /// Returns a number below this bound, which is at least 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// Returns a number from `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }
}
