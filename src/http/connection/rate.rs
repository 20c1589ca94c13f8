//! The least rate at which a client must take an answer.

use std::cell::Cell;

/// Time for which the bytes of an answer may wait for the client before it must take them at a least rate, in
/// seconds.
const SLOW_START_SECS: u64 = 10;

/// Least number of bytes of an answer that the client must take in a second.
const MIN_BYTES_PER_SEC: u64 = 16 << 10;

/// Time in which a client must take an answer of a known size, however large, in seconds. Seconds in which
/// nothing waits for the client do not count.
const ANSWER_SECS: u64 = 120;

/// The rate at which a client takes one answer.
#[derive(Debug)]
pub(super) struct AnswerRate {
    /// Number of ticks at which bytes of the answer waited for the client.
    waited_secs: Cell<u64>,
    /// Number of bytes that the client has taken since the head of the request.
    taken_bytes: Cell<u64>,
    /// Least number of bytes that it must take in a second.
    min_bytes_per_sec: Cell<u64>,
}

impl Default for AnswerRate {
    fn default() -> Self {
        let min_bytes_per_sec = Cell::new(MIN_BYTES_PER_SEC);
        Self { waited_secs: Cell::default(), taken_bytes: Cell::default(), min_bytes_per_sec }
    }
}

impl AnswerRate {
    /// Starts with another answer.
    pub(super) fn restart(&self) {
        self.waited_secs.set(0);
        self.taken_bytes.set(0);
        self.min_bytes_per_sec.set(MIN_BYTES_PER_SEC);
    }

    /// Records the size of the answer.
    pub(super) fn set_size(&self, bytes: u64) {
        self.min_bytes_per_sec.set(MIN_BYTES_PER_SEC.max(bytes / ANSWER_SECS));
    }

    /// Records that the client has taken so many bytes.
    pub(super) fn taken(&self, bytes: usize) {
        self.taken_bytes.set(self.taken_bytes.get().saturating_add(bytes as u64));
    }

    /// Counts a second at whose end bytes waited for the client.
    pub(super) fn count_wait(&self) {
        self.waited_secs.set(self.waited_secs.get().saturating_add(1));
    }

    /// Returns whether the client takes the answer too slowly.
    pub(super) fn is_too_low(&self) -> bool {
        let earned_secs = self.taken_bytes.get() / self.min_bytes_per_sec.get();
        self.waited_secs.get() > SLOW_START_SECS + earned_secs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether an answer is sent whole if its client takes so many bytes each second.
    fn is_sent(answer: u64, bytes_per_sec: usize) -> bool {
        let rate = AnswerRate::default();
        rate.set_size(answer);
        (0..answer.div_ceil(bytes_per_sec as u64)).all(|_| {
            rate.count_wait();
            let is_too_low = rate.is_too_low();
            rate.taken(bytes_per_sec);
            !is_too_low
        })
    }

    #[test]
    fn an_answer_must_be_taken_at_a_least_rate_and_a_large_one_within_two_minutes() {
        assert!(is_sent(1 << 20, 16 << 10));
        assert!(!is_sent(1 << 20, 13 << 10));
        assert!(is_sent(28 << 20, 240 << 10));
        assert!(!is_sent(28 << 20, 200 << 10));
    }
}
