//! Lists of jobs: newest first, with any combination of filters, one page at a time.
//!
//! The cost of a page does not grow with the table, because it reads ids from indexes and only then
//! the rows that it shows:
//!
//! 1. `plan` chooses index ranges for each condition of the filter. Within a range ids are in order.
//! 2. `merge` combines the ranges of one condition into one descending sequence (k-way merge): a
//!    heap holds the largest unread id of each range.
//! 3. `intersection` finds the ids that are in every sequence (leapfrog intersection): each sequence
//!    in turn jumps to its largest id that is not above the candidate, which becomes the new candidate;
//!    when no sequence moves it, it is in all of them.
//!
//! For example, a list of the kind `http` with the tag `red`. Two queues have jobs of that kind:
//!
//! ```text
//! mail, http:     9 4 1
//! reports, http:  8         merged with the line above: 9 8 4 1, the sequence of the kind
//! tag red:        7 5 4 2   the sequence of the tag
//!
//! start           the tag starts at 7, the kind jumps over 9 and 8 to 4
//! candidate 4     the tag jumps over 7 and 5 to 4, the kind has 4: job 4 is on the page
//! candidate 3     the tag jumps to 2, the kind jumps to 1
//! candidate 1     the tag has no id left: end of the list
//! ```
//!
//! If two conditions match many jobs each but hardly any together, no order helps. A page therefore
//! has a work budget, counted in ids read. When it is spent the page ends early, possibly empty, with
//! a cursor to the next page.

mod index_range;
mod intersection;
mod merge;
mod plan;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::{Job, JobId, Json};
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::job::{ListedRow, SummaryRow};
use crate::store::schema::{job_extras, jobs, queues, remote_leases, results};
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::transaction::{self, TransactionError};
use crate::store::{JobFilter, JobPage};
use intersection::{End, Intersection};

/// Number of payload and result bytes at which a page ends early, with a cursor to the next page.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// Returns one page of the jobs that match `filter`.
pub(super) fn page(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
    visible: &VisibleQueues,
    impossible: &mut ImpossibleRows,
) -> Result<JobPage, TransactionError> {
    transaction::reading(connection, |connection| {
        let top = filter.before.map_or(i64::MAX, |before| before.0.saturating_sub(1));
        match plan::sequences(connection, filter, visible)? {
            Some(sequences) => {
                let ids = Intersection::new(sequences, top);
                fill(connection, (filter, visible), ids, impossible)
            }
            None => Ok(JobPage::default()),
        }
    })
}

fn fill(
    connection: &mut SqliteConnection,
    (filter, visible): (&JobFilter, &VisibleQueues),
    mut intersection: Intersection<'_>,
    impossible: &mut ImpossibleRows,
) -> Result<JobPage, TransactionError> {
    let mut page = JobPage::default();
    let mut bytes = 0;
    loop {
        // One job more than the limit shows whether there is a next page.
        let missing = filter.limit as usize + 1 - page.jobs.len();
        let (ids, end) = intersection.take(connection, missing.min(rows_per_read(filter)))?;
        for row in read_rows(connection, filter, visible, &ids)? {
            let row_bytes = row.text_bytes();
            let parsed = row.into_job(filter.with_payload, filter.with_result);
            let Some(job) = impossible.skip(parsed)?.filter(|job| filter.matches(job)) else {
                continue;
            };
            if page.jobs.len() >= filter.limit as usize || bytes >= MAX_PAGE_BYTES {
                page.next = page.jobs.last().map(|job| job.id);
                return Ok(page);
            }
            bytes += row_bytes;
            page.jobs.push(match filter.with_metadata {
                true => with_metadata(connection, job)?,
                false => job,
            });
        }
        match end {
            Some(End::Exhausted) => return Ok(page),
            Some(End::OutOfBudget { lowest_seen }) => {
                page.next = Some(JobId(lowest_seen));
                return Ok(page);
            }
            None => {}
        }
    }
}

/// Adds the metadata of a job, if it has any.
fn with_metadata(connection: &mut SqliteConnection, job: Job) -> Result<Job, TransactionError> {
    let metadata: Option<Option<String>> = job_extras::table
        .find(job.id.0)
        .select(job_extras::metadata)
        .get_result(connection)
        .optional()?;
    Ok(Job { metadata: metadata.flatten().map(Json::trusted), ..job })
}

/// Returns the number of rows to read at once, which is small if each row may have megabytes.
fn rows_per_read(filter: &JobFilter) -> usize {
    if filter.with_payload || filter.with_result { 8 } else { usize::MAX }
}

/// Reads the rows with the given ids, newest first.
fn read_rows(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
    visible: &VisibleQueues,
    ids: &[i64],
) -> Result<Vec<ListedRow>, TransactionError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = jobs::table
        .inner_join(queues::table)
        .left_join(results::table)
        .left_join(remote_leases::table)
        .filter(jobs::id.eq_any(ids))
        .order(jobs::id.desc());
    if filter.with_payload || filter.with_result {
        let query = query.select(ListedRow::as_select());
        return Ok(match visible.queue() {
            Some(is_visible) => query.filter(is_visible).load(connection)?,
            None => query.load(connection)?,
        });
    }
    let query = query.select(SummaryRow::as_select());
    let rows: Vec<SummaryRow> = match visible.queue() {
        Some(is_visible) => query.filter(is_visible).load(connection)?,
        None => query.load(connection)?,
    };
    Ok(rows.into_iter().map(ListedRow::from).collect())
}
