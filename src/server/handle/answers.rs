//! The bound on the total size of answers that are not sent yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::server::error::Error;

/// Size up to which a request is never refused because of its answer, in bytes.
const LIGHT_BYTES: usize = 64 << 10;

/// The total size of answers that clients have not taken yet.
pub(crate) struct AnswerBudget {
    max_bytes: usize,
    bytes: AtomicUsize,
}

/// The size of one answer, which counts until this is dropped.
pub(crate) struct AnswerWeight {
    budget: Arc<AnswerBudget>,
    bytes: usize,
}

impl Drop for AnswerWeight {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl AnswerBudget {
    pub(super) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { max_bytes, bytes: AtomicUsize::new(0) })
    }

    /// Counts an answer that can be refused because the request changed nothing. An answer that is larger
    /// than the whole bound passes alone.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there is no room for it.
    pub(crate) fn weigh_read(self: &Arc<Self>, bytes: usize) -> Result<AnswerWeight, Error> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let weight = AnswerWeight { budget: Arc::clone(self), bytes };
        // An error drops the weight.
        if before > 0 && before.saturating_add(bytes) > self.max_bytes {
            return Err(Error::Overloaded);
        }
        Ok(weight)
    }

    /// Counts an answer that must be sent, because the request has had its effect.
    pub(crate) fn weigh_effect(self: &Arc<Self>, bytes: usize) -> AnswerWeight {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        AnswerWeight { budget: Arc::clone(self), bytes }
    }

    /// Returns whether the bound is exceeded. Reads that are not taken never exceed it alone, so they cannot
    /// keep others from submitting and leasing.
    fn is_exceeded(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.max_bytes
    }

    /// Returns whether a request whose answer may have this size can be processed.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        bytes <= LIGHT_BYTES || !self.is_exceeded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_until_they_are_dropped_and_reads_past_the_bound_are_refused() {
        let budget = AnswerBudget::new(100);
        let first = budget.weigh_read(60).unwrap();
        assert!(budget.weigh_read(50).is_err());
        let second = budget.weigh_read(40).unwrap();
        assert!(budget.weigh_read(1).is_err() && !budget.is_exceeded());
        let effect = budget.weigh_effect(1);
        assert!(budget.is_exceeded());
        drop((first, second));
        assert!(!budget.is_exceeded() && budget.weigh_read(99).is_ok());
        drop(effect);
    }

    #[test]
    fn a_huge_answer_passes_alone_and_the_answer_to_an_effect_always() {
        let budget = AnswerBudget::new(100);
        let huge = budget.weigh_read(1_000).unwrap();
        assert!(budget.weigh_read(1).is_err());
        let effect = budget.weigh_effect(1_000);
        drop(huge);
        assert!(budget.weigh_read(1).is_err());
        drop(effect);
        assert!(budget.weigh_read(1).is_ok());
    }
}
