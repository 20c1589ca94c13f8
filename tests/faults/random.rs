//! Numbers that look random, from a seed that a test prints (SplitMix64).

/// A row of numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The row of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A row that no other test run has, and its seed.
    pub(crate) fn of_this_run() -> (Self, u64) {
        let seed = u64::from(std::process::id()) ^ 0x10_75_40_7E;
        (Self(seed), seed)
    }

    /// The next number, below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }

    /// The next number in a range.
    pub(crate) fn within(&mut self, range: &std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }
}
