//! Random numbers, the same in each run.

/// A xorshift generator: good enough to spread the clients.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Makes a generator from any seed.
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below this bound, which is at least 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}
