//! Random operations on one batch, or on old ones.

use std::time::Duration;

use longshore::store::Write;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::draft::{Draft, draft};
use super::super::table::Model;
use super::super::writes::{add_write, retry_batch};
use super::{batch_of, submission_key};

#[derive(Debug, Clone)]
pub(in super::super) enum BatchOperation {
    Cancel(Index),
    /// Retries the jobs that have failed, or also those that were cancelled.
    Retry(Index, bool),
    Add {
        batch: Index,
        jobs: Vec<Draft>,
        key: Option<(u8, u8)>,
    },
    Close(Index),
    CloseDue {
        limit: u32,
    },
    Prune {
        batches: Vec<Index>,
        secs: u64,
    },
}

pub(super) fn batch_operation() -> impl Strategy<Value = BatchOperation> {
    let add = (any::<Index>(), vec(draft(), 0..4), submission_key());
    let limit = prop_oneof![3 => Just(100_u32), 1 => 0..4_u32];
    prop_oneof![
        1 => any::<Index>().prop_map(BatchOperation::Cancel),
        1 => (any::<Index>(), any::<bool>())
            .prop_map(|(batch, cancelled)| BatchOperation::Retry(batch, cancelled)),
        3 => add.prop_map(|(batch, jobs, key)| BatchOperation::Add { batch, jobs, key }),
        2 => any::<Index>().prop_map(BatchOperation::Close),
        1 => limit.prop_map(|limit| BatchOperation::CloseDue { limit }),
        1 => (vec(any::<Index>(), 0..4), 0..5_u64)
            .prop_map(|(batches, secs)| BatchOperation::Prune { batches, secs }),
    ]
}

impl BatchOperation {
    pub(super) fn write(&self, model: &Model) -> Write {
        match self {
            Self::Cancel(batch) => Write::CancelBatch(batch_of(model, batch)),
            Self::Retry(batch, cancelled) => retry_batch(model, batch, *cancelled),
            Self::Add { batch, jobs, key } => add_write(model, batch, jobs, *key),
            Self::Close(batch) => Write::CloseBatch(batch_of(model, batch)),
            Self::CloseDue { limit } => Write::CloseBatches { limit: *limit },
            Self::Prune { batches, secs } => Write::PruneBatches {
                batches: batches.iter().map(|batch| batch_of(model, batch)).collect(),
                finished_before: model.now.minus(Duration::from_secs(*secs)),
            },
        }
    }
}
