//! Leapfrog intersection: the ids that are in every one of several descending sequences.
//!
//! See the documentation of [`super`] for an example.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::merge::{MergedIds, WorkBudget};

/// Work budget of a page, in ids read: about ten milliseconds.
const PAGE_BUDGET: i64 = 60_000;

/// Cost of reading a row, in ids read.
const ROW_COST: i64 = 20;

/// Reason why an intersection returns no more ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// No further id is in every sequence.
    Exhausted,
    /// The work budget is spent. All ids from `lowest_seen` on have been checked.
    OutOfBudget { lowest_seen: i64 },
}

/// Intersection of several descending sequences of ids.
pub(super) struct Intersection<'f> {
    sequences: Vec<MergedIds<'f>>,
    /// Candidate: every id above it has been checked.
    top: i64,
    budget: WorkBudget,
}

impl<'f> Intersection<'f> {
    /// Creates an intersection that starts at `top`.
    pub(super) fn new(sequences: Vec<MergedIds<'f>>, top: i64) -> Self {
        Self { sequences, top, budget: WorkBudget::new(PAGE_BUDGET) }
    }

    /// Returns the next ids that are in every sequence, in descending order and up to `limit`, and the
    /// reason if there are no more.
    pub(super) fn take(
        &mut self,
        connection: &mut SqliteConnection,
        limit: usize,
    ) -> QueryResult<(Vec<i64>, Option<End>)> {
        let mut ids = Vec::new();
        while ids.len() < limit {
            let candidate = self.top;
            for sequence in &mut self.sequences {
                match sequence.next(connection, self.top, &mut self.budget)? {
                    Some(id) => self.top = id,
                    None => return Ok((ids, Some(End::Exhausted))),
                }
            }
            // No sequence jumped below the candidate, so all of them contain it.
            if self.top == candidate {
                ids.push(candidate);
                self.top -= 1;
                self.budget.spend(ROW_COST);
            }
            if self.budget.is_spent() {
                return Ok((ids, Some(End::OutOfBudget { lowest_seen: self.top + 1 })));
            }
        }
        Ok((ids, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intersection(sequences: &[&[i64]], top: i64) -> Intersection<'static> {
        let sequences = sequences.iter().map(|ids| MergedIds::from_ids(ids.to_vec()));
        Intersection::new(sequences.collect(), top)
    }

    fn connection() -> SqliteConnection {
        SqliteConnection::establish(":memory:").unwrap()
    }

    #[test]
    fn the_ids_in_every_sequence_are_found_in_descending_order() {
        let all = [[1, 2, 3, 5, 8, 9].as_slice(), &[9, 7, 5, 3, 1], &[1, 3, 4, 8, 9]];
        let found = intersection(&all, 8).take(&mut connection(), 10).unwrap();
        assert_eq!(found, (vec![3, 1], Some(End::Exhausted)));
        let mut intersection = intersection(&all, i64::MAX);
        assert_eq!(intersection.take(&mut connection(), 2).unwrap(), (vec![9, 3], None));
        assert_eq!(
            intersection.take(&mut connection(), 2).unwrap(),
            (vec![1], Some(End::Exhausted))
        );
    }

    #[test]
    fn an_intersection_with_an_empty_sequence_is_empty() {
        let found = intersection(&[&[1, 2], &[]], i64::MAX).take(&mut connection(), 10).unwrap();
        assert_eq!(found, (Vec::new(), Some(End::Exhausted)));
    }

    #[test]
    fn a_page_ends_when_its_work_budget_is_spent_and_returns_where_to_continue() {
        let ids: Vec<i64> = (1..=100_000).collect();
        let (found, end) =
            intersection(&[&ids], i64::MAX).take(&mut connection(), usize::MAX).unwrap();
        let lowest_seen = *found.last().unwrap();
        assert_eq!(end, Some(End::OutOfBudget { lowest_seen }));
        assert_eq!(found, (lowest_seen..=100_000).rev().collect::<Vec<_>>());
    }
}
