//! The ids that stand in several walks.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::walk::{Budget, Walk};

/// How much a page may look through: some ten milliseconds.
const BUDGET: i64 = 60_000;

/// What it costs to read a row, as so many ids that are read.
const ROW: i64 = 20;

/// Why there are no more ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There are none.
    OfAll,
    /// A page has done as much as it may. Those from here on have been looked at.
    OfPage { seen_from: i64 },
}

/// A way down all walks at once.
pub(super) struct Search<'f> {
    walks: Vec<Walk<'f>>,
    /// What lies above has been looked at.
    top: i64,
    budget: Budget,
}

impl<'f> Search<'f> {
    /// Begins at `top`.
    pub(super) fn new(walks: Vec<Walk<'f>>, top: i64) -> Self {
        Self { walks, top, budget: Budget::new(BUDGET) }
    }

    /// The next ids that stand in every walk, falling, and the end where it has come.
    pub(super) fn take(
        &mut self,
        connection: &mut SqliteConnection,
        limit: usize,
    ) -> QueryResult<(Vec<i64>, Option<End>)> {
        let mut ids = Vec::new();
        while ids.len() < limit {
            let tried = self.top;
            for walk in &mut self.walks {
                match walk.next(connection, self.top, &mut self.budget)? {
                    Some(id) => self.top = id,
                    None => return Ok((ids, Some(End::OfAll))),
                }
            }
            // None of them has led further down: it stands in all.
            if self.top == tried {
                ids.push(tried);
                self.top -= 1;
                self.budget.spend(ROW);
            }
            if self.budget.is_spent() {
                return Ok((ids, Some(End::OfPage { seen_from: self.top + 1 })));
            }
        }
        Ok((ids, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(walks: &[&[i64]], top: i64) -> Search<'static> {
        Search::new(walks.iter().map(|ids| Walk::over(ids.to_vec())).collect(), top)
    }

    fn connection() -> SqliteConnection {
        SqliteConnection::establish(":memory:").unwrap()
    }

    #[test]
    fn what_stands_in_all_walks_is_found_in_falling_order() {
        let all = [[1, 2, 3, 5, 8, 9].as_slice(), &[9, 7, 5, 3, 1], &[1, 3, 4, 8, 9]];
        let found = search(&all, 8).take(&mut connection(), 10).unwrap();
        assert_eq!(found, (vec![3, 1], Some(End::OfAll)));
        let mut search = search(&all, i64::MAX);
        assert_eq!(search.take(&mut connection(), 2).unwrap(), (vec![9, 3], None));
        assert_eq!(search.take(&mut connection(), 2).unwrap(), (vec![1], Some(End::OfAll)));
    }

    #[test]
    fn nothing_stands_in_a_walk_over_nothing() {
        let found = search(&[&[1, 2], &[]], i64::MAX).take(&mut connection(), 10).unwrap();
        assert_eq!(found, (Vec::new(), Some(End::OfAll)));
    }

    #[test]
    fn a_page_ends_after_so_much_work_and_tells_where_to_go_on() {
        let ids: Vec<i64> = (1..=100_000).collect();
        let (found, end) = search(&[&ids], i64::MAX).take(&mut connection(), usize::MAX).unwrap();
        let seen_from = *found.last().unwrap();
        assert_eq!(end, Some(End::OfPage { seen_from }));
        assert_eq!(found, (seen_from..=100_000).rev().collect::<Vec<_>>());
    }
}
