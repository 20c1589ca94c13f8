//! The bound on the total size of answers that are not sent yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::server::error::Error;

/// Size up to which an answer is small, in bytes. A request is never refused before its effect because of a
/// small answer.
const SMALL_BYTES: usize = 64 << 10;

/// Part of the bound that small answers, and answers to workers, have in addition to it: a quarter.
const SHARE_PART: usize = 4;

/// A share of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerShare {
    /// The bound itself, for all that have no share of their own or find it full.
    Usual,
    /// Small answers, such as lists and pages.
    Small,
    /// Answers to remote workers, so that other answers never keep jobs from being leased.
    Workers,
}

/// The total size of answers that clients have not taken yet.
pub(crate) struct AnswerBudget {
    usual: Total,
    small: Total,
    workers: Total,
}

/// The total size of the answers of one share.
struct Total {
    max_bytes: usize,
    bytes: AtomicUsize,
}

impl Total {
    fn new(max_bytes: usize) -> Self {
        Self { max_bytes, bytes: AtomicUsize::new(0) }
    }

    /// Adds an answer if there is room for it. One that is larger than the whole share passes alone.
    fn try_add(&self, bytes: usize) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(bytes) <= self.max_bytes;
        if !fits {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

/// The size of one answer, which counts until this is dropped.
pub(crate) struct AnswerWeight {
    budget: Arc<AnswerBudget>,
    share: AnswerShare,
    bytes: usize,
}

impl AnswerWeight {
    /// Replaces the size for which room was reserved with the actual one.
    pub(crate) fn resize(mut self, bytes: usize) -> Self {
        let total = &self.budget.total(self.share).bytes;
        total.fetch_add(bytes, Ordering::Relaxed);
        total.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
        self
    }
}

impl Drop for AnswerWeight {
    fn drop(&mut self) {
        self.budget.total(self.share).bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl AnswerBudget {
    pub(super) fn new(max_bytes: usize) -> Arc<Self> {
        let share = max_bytes.div_ceil(SHARE_PART);
        Arc::new(Self {
            usual: Total::new(max_bytes),
            small: Total::new(share),
            workers: Total::new(share),
        })
    }

    fn total(&self, share: AnswerShare) -> &Total {
        match share {
            AnswerShare::Usual => &self.usual,
            AnswerShare::Small => &self.small,
            AnswerShare::Workers => &self.workers,
        }
    }

    /// Counts an answer against a share or, if there is no room in it, against the bound itself.
    fn try_weigh(
        self: &Arc<Self>,
        share: AnswerShare,
        bytes: usize,
    ) -> Result<AnswerWeight, Error> {
        for share in [share, AnswerShare::Usual] {
            if self.total(share).try_add(bytes) {
                return Ok(AnswerWeight { budget: Arc::clone(self), share, bytes });
            }
        }
        Err(Error::Overloaded)
    }

    /// Reserves room for an answer of about this size before the request has an effect. Returns `None` for a
    /// small one, which needs no reservation.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there is no room for it.
    pub(super) fn reserve(
        self: &Arc<Self>,
        share: AnswerShare,
        bytes: usize,
    ) -> Result<Option<AnswerWeight>, Error> {
        if bytes <= SMALL_BYTES {
            return Ok(None);
        }
        self.try_weigh(share, bytes).map(Some)
    }

    /// Counts an answer that can be refused because the request changed nothing.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there is no room for it.
    pub(crate) fn weigh_read(self: &Arc<Self>, bytes: usize) -> Result<AnswerWeight, Error> {
        self.try_weigh(share_of(bytes), bytes)
    }

    /// Counts an answer that must be sent, because the request has had its effect.
    pub(crate) fn weigh_effect(self: &Arc<Self>, bytes: usize) -> AnswerWeight {
        let share = share_of(bytes);
        self.total(share).bytes.fetch_add(bytes, Ordering::Relaxed);
        AnswerWeight { budget: Arc::clone(self), share, bytes }
    }
}

/// Returns the share of an answer that has none of its own.
fn share_of(bytes: usize) -> AnswerShare {
    if bytes <= SMALL_BYTES { AnswerShare::Small } else { AnswerShare::Usual }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn answers_count_until_they_are_dropped_and_further_ones_are_refused() {
        let budget = AnswerBudget::new(100 * MIB);
        let first = budget.weigh_read(60 * MIB).unwrap();
        assert!(budget.weigh_read(50 * MIB).is_err());
        let second = budget.weigh_read(40 * MIB).unwrap();
        assert!(budget.weigh_read(MIB).is_err());
        drop(first);
        let third = budget.weigh_read(59 * MIB).unwrap().resize(60 * MIB);
        assert!(budget.weigh_read(MIB).is_err());
        drop((second, third));
        assert!(budget.weigh_read(99 * MIB).is_ok());
    }

    #[test]
    fn a_huge_answer_passes_alone_and_the_answer_to_an_effect_always() {
        let budget = AnswerBudget::new(100 * MIB);
        let huge = budget.weigh_read(1_000 * MIB).unwrap();
        assert!(budget.weigh_read(MIB).is_err());
        let effect = budget.weigh_effect(1_000 * MIB);
        drop(huge);
        assert!(budget.weigh_read(MIB).is_err());
        drop(effect);
        assert!(budget.weigh_read(MIB).is_ok());
    }

    #[test]
    fn large_answers_take_nothing_from_small_ones_and_from_workers() {
        let budget = AnswerBudget::new(4 * MIB);
        let _large = budget.weigh_effect(100 * MIB);
        let small: Vec<_> = (0..16).map(|_| budget.weigh_read(SMALL_BYTES).unwrap()).collect();
        assert!(budget.weigh_read(1).is_err());
        let weigh = |bytes| budget.try_weigh(AnswerShare::Workers, bytes);
        let jobs = weigh(MIB).unwrap();
        assert!(weigh(1).is_err());
        drop((jobs, small));
        assert!(weigh(8 * MIB).is_ok() && budget.weigh_read(1).is_ok());
    }
}
