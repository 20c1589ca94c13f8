//! Going down the ids of one index, or of several as if they were one.

use std::collections::BinaryHeap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::index::Index;

/// How many ids are read ahead of one index at first, and at most.
const FIRST: i64 = 64;
const MOST: i64 = 1_024;

/// How many are read ahead at first of all indexes of a walk together.
const FIRST_OF_ALL: i64 = 1_024;

/// What it costs to begin to read an index, as so many ids that are read.
const BEGIN: i64 = 30;

/// How much work a page may take, counted in ids that are read.
#[derive(Debug)]
pub(super) struct Budget(i64);

impl Budget {
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

/// The ids of several indexes, merged. Whoever walks only goes down.
pub(super) struct Walk<'f> {
    sources: Vec<Source<'f>>,
    /// The largest id of each source that is left, with its place; at first above all.
    heads: BinaryHeap<(i64, usize)>,
}

impl<'f> Walk<'f> {
    /// A walk that has not begun.
    pub(super) fn new(indexes: Vec<Index<'f>>) -> Self {
        let count = i64::try_from(indexes.len()).unwrap_or(i64::MAX).max(1);
        let portion = (FIRST_OF_ALL / count).clamp(4, FIRST);
        Self::of(indexes.into_iter().map(|index| Source::new(index, portion)).collect())
    }

    /// A walk over ids that are known.
    pub(super) fn over(mut ids: Vec<i64>) -> Self {
        ids.sort_unstable();
        Self::of(vec![Source { index: None, ahead: ids, portion: 0, end: 0, width: 0 }])
    }

    fn of(sources: Vec<Source<'f>>) -> Self {
        let heads = (0..sources.len()).map(|place| (i64::MAX, place)).collect();
        Self { sources, heads }
    }

    /// The largest id that is not above `top`.
    pub(super) fn next(
        &mut self,
        connection: &mut SqliteConnection,
        top: i64,
        budget: &mut Budget,
    ) -> QueryResult<Option<i64>> {
        while let Some((head, place)) = self.heads.peek().copied() {
            if head <= top && head < i64::MAX {
                return Ok(Some(head));
            }
            self.heads.pop();
            if let Some(head) = self.sources[place].next(connection, top, budget)? {
                self.heads.push((head, place));
            }
        }
        Ok(None)
    }
}

/// One index, read ahead.
struct Source<'f> {
    /// None where nothing is left to read.
    index: Option<Index<'f>>,
    /// Read and not passed by, rising.
    ahead: Vec<i64>,
    /// How many were read last, or are to be read first.
    portion: i64,
    /// The smallest id that was read, and how far it was from the largest that was read with it.
    end: i64,
    width: i64,
}

impl<'f> Source<'f> {
    fn new(index: Index<'f>, portion: i64) -> Self {
        Self { index: Some(index), ahead: Vec::new(), portion, end: i64::MAX, width: 0 }
    }

    fn next(
        &mut self,
        connection: &mut SqliteConnection,
        top: i64,
        budget: &mut Budget,
    ) -> QueryResult<Option<i64>> {
        let left = self.ahead.partition_point(|id| *id <= top);
        self.ahead.truncate(left);
        if self.ahead.is_empty() {
            self.read(connection, top, budget)?;
        }
        Ok(self.ahead.last().copied())
    }

    /// Reads more where it goes on as before, and little after a leap.
    fn read(
        &mut self,
        connection: &mut SqliteConnection,
        top: i64,
        budget: &mut Budget,
    ) -> QueryResult<()> {
        let Some(index) = &self.index else { return Ok(()) };
        if self.end < i64::MAX {
            let is_leap = top < self.end.saturating_sub(self.width);
            self.portion =
                if is_leap { FIRST.min(self.portion) } else { MOST.min(2 * self.portion) };
        }
        self.ahead = index.ids(connection, top, self.portion)?;
        self.ahead.reverse();
        let read = i64::try_from(self.ahead.len()).unwrap_or(i64::MAX);
        budget.spend(BEGIN + read);
        if let [smallest, .., largest] = self.ahead[..] {
            (self.end, self.width) = (smallest, largest - smallest);
        }
        if read < self.portion {
            self.index = None;
        }
        Ok(())
    }
}
