//! A histogram of durations, with buckets of less than one percent width.

/// How many buckets each power of two has.
const STEPS: usize = 1 << STEP_BITS;
const STEP_BITS: u32 = 7;

/// Counts durations in nanoseconds; any `u64` fits.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; bucket(u64::MAX) + 1], total: 0 }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, nanoseconds: u64) {
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// Returns the duration that this percentage doesn't exceed, in nanoseconds;
    /// 0 if nothing was counted.
    pub fn percentile(&self, percent: f64) -> u64 {
        let rank = (self.total as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut passed = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed >= rank {
                return lowest(bucket);
            }
        }
        0
    }
}

/// Values up to `STEPS` have a bucket each; above, a bucket is as wide as its
/// power of two divided by `STEPS`.
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(STEP_BITS + 1);
    shift as usize * STEPS + (value >> shift) as usize
}

/// Returns the lowest value of a bucket.
fn lowest(bucket: usize) -> u64 {
    if bucket < 2 * STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    ((bucket - shift * STEPS) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_less_than_a_percent_wide_and_in_order() {
        let mut before = 0;
        for power in 0..64 {
            for offset in [0, 1, 3] {
                let value = (1_u64 << power) + (1_u64 << power) / 4 * offset;
                let index = bucket(value);
                assert!(lowest(index) <= value, "{value}");
                assert!((value - lowest(index)) as f64 <= value as f64 / 100.0, "{value}");
                assert!(index >= before || offset == 0, "{value}");
                before = index;
            }
        }
    }

    #[test]
    fn percentiles_are_found() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(99.0), 0);
        for value in 1..=100 {
            histogram.record(value);
        }
        assert_eq!(histogram.percentile(50.0), 50);
        assert_eq!(histogram.percentile(99.0), 99);
        assert_eq!(histogram.percentile(100.0), 100);
    }
}
