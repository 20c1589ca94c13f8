//! Pseudorandom numbers (SplitMix64) from a seed that a test prints, so that a run can be repeated.

/// Generator of a sequence of pseudorandom numbers.
pub(crate) struct Random(u64);

impl Random {
    /// Creates the generator for a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Creates a generator with a seed from the process id, and returns the seed as well.
    pub(crate) fn for_this_run() -> (Self, u64) {
        let seed = u64::from(std::process::id()) ^ 0x10_75_40_7E;
        (Self(seed), seed)
    }

    /// Returns the next number, which is less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }

    /// Returns the next number in a range.
    pub(crate) fn within(&mut self, range: &std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }
}
