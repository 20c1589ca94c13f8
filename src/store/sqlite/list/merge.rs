//! K-way merge: the ids of one or several index ranges as one descending sequence.
//!
//! See the documentation of [`super`] for an example.

use std::collections::BinaryHeap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::index_range::IndexRange;

/// Number of ids in the first chunk that is read from a range, and in the largest.
const FIRST_CHUNK: i64 = 64;
const MAX_CHUNK: i64 = 1_024;

/// Number of ids in the first chunks of all ranges of a sequence together.
const FIRST_CHUNKS_TOTAL: i64 = 1_024;

/// Cost of starting to read a range, in ids read.
const READ_COST: i64 = 30;

/// Work budget of a page, counted in ids read.
#[derive(Debug)]
pub(super) struct WorkBudget(i64);

impl WorkBudget {
    pub(super) fn new(ids: i64) -> Self {
        Self(ids)
    }

    pub(super) fn spend(&mut self, ids: i64) {
        self.0 -= ids;
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0 <= 0
    }
}

/// Descending sequence of the ids of several ranges.
pub(super) struct MergedIds<'f> {
    readers: Vec<RangeReader<'f>>,
    /// Heap of the largest unread id of each reader, with the reader's index. `i64::MAX` represents an
    /// id that was not read yet. A reader without ids has no entry.
    heads: BinaryHeap<(i64, usize)>,
}

impl<'f> MergedIds<'f> {
    /// Creates the merged sequence of `ranges`; reads nothing yet.
    pub(super) fn new(ranges: Vec<IndexRange<'f>>) -> Self {
        let count = i64::try_from(ranges.len()).unwrap_or(i64::MAX).max(1);
        let chunk = (FIRST_CHUNKS_TOTAL / count).clamp(4, FIRST_CHUNK);
        Self::from_readers(ranges.into_iter().map(|range| RangeReader::new(range, chunk)).collect())
    }

    /// Creates a sequence of known ids, given in any order.
    pub(super) fn from_ids(mut ids: Vec<i64>) -> Self {
        ids.sort_unstable();
        let reader = RangeReader { range: None, buffer: ids, chunk: 0, lowest: 0, width: 0 };
        Self::from_readers(vec![reader])
    }

    fn from_readers(readers: Vec<RangeReader<'f>>) -> Self {
        let heads = (0..readers.len()).map(|index| (i64::MAX, index)).collect();
        Self { readers, heads }
    }

    /// Returns the largest id that is not above `top`. `top` must not rise from call to call.
    pub(super) fn next(
        &mut self,
        connection: &mut SqliteConnection,
        top: i64,
        budget: &mut WorkBudget,
    ) -> QueryResult<Option<i64>> {
        while let Some((head, index)) = self.heads.peek().copied() {
            if head <= top && head < i64::MAX {
                return Ok(Some(head));
            }
            self.heads.pop();
            if let Some(head) = self.readers[index].next(connection, top, budget)? {
                self.heads.push((head, index));
            }
        }
        Ok(None)
    }
}

/// Reads one range in chunks.
struct RangeReader<'f> {
    /// The range; `None` if no id is left to read.
    range: Option<IndexRange<'f>>,
    /// Ids that were read and not passed yet, ascending.
    buffer: Vec<i64>,
    /// Number of ids in the last chunk, or in the first one to read.
    chunk: i64,
    /// Smallest id of the last chunk; `i64::MAX` before the first one.
    lowest: i64,
    /// Difference between the largest and the smallest id of the last chunk.
    width: i64,
}

impl<'f> RangeReader<'f> {
    fn new(range: IndexRange<'f>, chunk: i64) -> Self {
        Self { range: Some(range), buffer: Vec::new(), chunk, lowest: i64::MAX, width: 0 }
    }

    /// Returns the largest id that is not above `top`, and drops those above it.
    fn next(
        &mut self,
        connection: &mut SqliteConnection,
        top: i64,
        budget: &mut WorkBudget,
    ) -> QueryResult<Option<i64>> {
        let left = self.buffer.partition_point(|id| *id <= top);
        self.buffer.truncate(left);
        if self.buffer.is_empty() {
            self.read(connection, top, budget)?;
        }
        Ok(self.buffer.last().copied())
    }

    /// Reads the next chunk: twice as large as the last one, or small after a jump past ids that were
    /// not read, because the next call may jump again.
    fn read(
        &mut self,
        connection: &mut SqliteConnection,
        top: i64,
        budget: &mut WorkBudget,
    ) -> QueryResult<()> {
        let Some(range) = &self.range else { return Ok(()) };
        if self.lowest < i64::MAX {
            let is_jump = top < self.lowest.saturating_sub(self.width);
            self.chunk =
                if is_jump { FIRST_CHUNK.min(self.chunk) } else { MAX_CHUNK.min(2 * self.chunk) };
        }
        self.buffer = range.ids(connection, top, self.chunk)?;
        self.buffer.reverse();
        let read = i64::try_from(self.buffer.len()).unwrap_or(i64::MAX);
        budget.spend(READ_COST + read);
        if let [smallest, .., largest] = self.buffer[..] {
            (self.lowest, self.width) = (smallest, largest - smallest);
        }
        if read < self.chunk {
            self.range = None;
        }
        Ok(())
    }
}
