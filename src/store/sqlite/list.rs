//! Lists of jobs: newest first, by any of the filters, a page at a time.
//!
//! Each filter has an index with the ids of its jobs in their order (`index`), or several that are
//! merged (`walk`); `choice` finds them. A page goes along all of them at once and takes the ids
//! that stand in each (`search`), then reads the rows. So what it costs does not grow with the table.
//! Where two filters match many jobs each and hardly any together, a page comes back short after so
//! much work, or empty, and still names a next one.

mod choice;
mod index;
mod search;
mod walk;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::read::JobRow;
use super::transaction::{self, Failure};
use crate::job::{Job, JobId, Json};
use crate::store::schema::{jobs, queues, remote_leases, results};
use crate::store::{JobFilter, JobPage};
use search::{End, Search};

/// At how many bytes of payloads and results a page ends, with a cursor to go on from.
const MAX_PAGE_BYTES: usize = 8 << 20;

type Row = (JobRow, String, Option<String>, Option<String>, Option<String>, Option<i64>);

/// One page of a list.
pub(super) fn page(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
) -> Result<JobPage, Failure> {
    transaction::reading(connection, |connection| {
        let top = filter.before.map_or(i64::MAX, |before| before.0.saturating_sub(1));
        match choice::walks(connection, filter)? {
            Some(walks) => fill(connection, filter, Search::new(walks, top)),
            None => Ok(JobPage::default()),
        }
    })
}

fn fill(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
    mut search: Search<'_>,
) -> Result<JobPage, Failure> {
    let mut page = JobPage::default();
    let mut bytes = 0;
    loop {
        // One more than is wanted tells whether there are more.
        let missing = filter.limit as usize + 1 - page.jobs.len();
        let (ids, end) = search.take(connection, missing.min(portion(filter)))?;
        for row in rows(connection, filter, &ids)? {
            let weight = weight(&row);
            let job = job_of(row, filter)?;
            if !matches(filter, &job) {
                continue;
            }
            if page.jobs.len() >= filter.limit as usize || bytes >= MAX_PAGE_BYTES {
                page.next = page.jobs.last().map(|job| job.id);
                return Ok(page);
            }
            bytes += weight;
            page.jobs.push(job);
        }
        match end {
            Some(End::OfAll) => return Ok(page),
            Some(End::OfPage { seen_from }) => {
                page.next = Some(JobId(seen_from));
                return Ok(page);
            }
            None => {}
        }
    }
}

/// How many rows are fetched at once: few, where each may be megabytes.
fn portion(filter: &JobFilter) -> usize {
    if filter.with_payload || filter.with_result { 8 } else { usize::MAX }
}

/// What a row weighs in memory, roughly.
fn weight((_, _, _, payload, result, _): &Row) -> usize {
    payload.as_ref().map_or(0, String::len) + result.as_ref().map_or(0, String::len)
}

/// Whether a job is one of those that are asked for. Not every filter has led to it.
fn matches(filter: &JobFilter, job: &Job) -> bool {
    filter.state.is_none_or(|state| job.state == state)
        && filter.queue.as_ref().is_none_or(|queue| job.queue == *queue)
        && filter.kind.as_ref().is_none_or(|kind| job.kind == *kind)
        && filter.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
        && filter.batch.is_none_or(|batch| job.batch == Some(batch))
}

/// The rows with these ids, newest first.
fn rows(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
    ids: &[i64],
) -> Result<Vec<Row>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = jobs::table
        .inner_join(queues::table)
        .left_join(results::table)
        .left_join(remote_leases::table)
        .filter(jobs::id.eq_any(ids))
        .order(jobs::id.desc());
    let core = (JobRow::as_select(), queues::name, remote_leases::worker.nullable());
    let rows = match (filter.with_payload, filter.with_result) {
        (false, false) => {
            let rows: Vec<(JobRow, String, Option<String>)> =
                query.select(core).load(connection)?;
            rows.into_iter()
                .map(|(row, queue, worker)| (row, queue, worker, None, None, None))
                .collect()
        }
        _ => {
            let (payload, result) = (jobs::payload.nullable(), results::result.nullable());
            query
                .select((core.0, core.1, core.2, payload, result, results::truncated.nullable()))
                .load(connection)?
        }
    };
    Ok(rows)
}

fn job_of(row: Row, filter: &JobFilter) -> Result<Job, Failure> {
    let (row, queue, worker, payload, result, truncated) = row;
    let mut job = row.into_job(&queue)?;
    job.worker = worker;
    if filter.with_payload {
        job.payload = payload.map(Json::trusted);
    }
    if filter.with_result {
        job.result = Some(result.map(Json::trusted));
        job.result_truncated = truncated == Some(1);
    }
    Ok(job)
}
