//! Lists of jobs: newest first, by any of the filters, a page at a time.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::read::JobRow;
use super::transaction::Failure;
use crate::job::{Job, JobId, Json, State};
use crate::store::schema::{job_tags, jobs, queues, remote_leases, results};
use crate::store::sql_types::Bool;
use crate::store::{JobFilter, JobPage};

/// How many ids one query covers where no index leads to the matches.
const WINDOW: i64 = 50_000;

/// How many such queries a page may take before it comes back short, with a cursor to go on from.
const MAX_WINDOWS: usize = 10;

/// At how many bytes of payloads and results a page ends, with a cursor to go on from.
const MAX_PAGE_BYTES: usize = 8 << 20;

type Row = (JobRow, String, Option<String>, Option<String>, Option<String>, Option<i64>);

/// One page of a list.
///
/// A filter that matches few of many rows, and has no index, would walk the whole table. So the
/// walk goes by windows of ids and stops after some; the page may then be short, or empty, and
/// still name a next one.
pub(super) fn page(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
) -> Result<JobPage, Failure> {
    let limit = filter.limit as usize;
    let Some(newest) = newest_id(connection, filter)? else { return Ok(JobPage::default()) };
    let mut page = JobPage::default();
    let mut before = newest + 1;
    let mut windows = 0;
    let mut bytes = 0;
    while windows < MAX_WINDOWS {
        let from = if is_indexed(filter) { 1 } else { (before - WINDOW).max(1) };
        let wanted = (limit - page.jobs.len()).min(portion(filter));
        // One more than is wanted tells whether there are more.
        let rows = window(connection, filter, from, before, wanted + 1)?;
        let has_more = rows.len() > wanted;
        for row in rows.into_iter().take(wanted) {
            bytes += weight(&row);
            page.jobs.push(job_of(row, filter)?);
        }
        if has_more {
            page.next = page.jobs.last().map(|job| job.id);
            if page.jobs.len() >= limit || bytes >= MAX_PAGE_BYTES {
                return Ok(page);
            }
            before = page.next.map_or(from, |last| last.0);
            continue;
        }
        if from == 1 {
            page.next = None;
            return Ok(page);
        }
        before = from;
        windows += 1;
    }
    page.next = Some(JobId(before));
    Ok(page)
}

/// How many rows are fetched at once: few, where each may be megabytes.
fn portion(filter: &JobFilter) -> usize {
    if filter.with_payload || filter.with_result { 8 } else { usize::MAX - 1 }
}

/// What a row weighs in memory, roughly.
fn weight((_, _, _, payload, result, _): &Row) -> usize {
    payload.as_ref().map_or(0, String::len) + result.as_ref().map_or(0, String::len)
}

/// Where the list begins: below the cursor, at the newest row at most.
fn newest_id(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
) -> Result<Option<i64>, Failure> {
    let newest: Option<i64> =
        jobs::table.select(diesel::dsl::max(jobs::id)).get_result(connection)?;
    let before = filter.before.map_or(i64::MAX, |before| before.0.saturating_sub(1));
    Ok(newest.map(|newest| newest.min(before)).filter(|newest| *newest > 0))
}

/// Whether an index leads to the matches in the order of their ids.
fn is_indexed(filter: &JobFilter) -> bool {
    filter.batch.is_some()
        || filter.tag.is_some()
        || matches!(filter.state, Some(State::Failed | State::Cancelled))
            && filter.queue.is_none()
            && filter.kind.is_none()
}

fn window(
    connection: &mut SqliteConnection,
    filter: &JobFilter,
    from: i64,
    before: i64,
    limit: usize,
) -> Result<Vec<Row>, Failure> {
    let mut query = jobs::table
        .inner_join(queues::table)
        .left_join(results::table)
        .left_join(remote_leases::table)
        .filter(jobs::id.ge(from))
        .filter(jobs::id.lt(before))
        .order(jobs::id.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .into_boxed();
    if let Some(state) = filter.state {
        // The number itself and not a bound value: else no partial index is considered.
        query = query.filter(sql::<Bool>(&format!("jobs.state = {}", state.code())));
    }
    if let Some(queue) = &filter.queue {
        query = query.filter(queues::name.eq(queue.as_str()));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(jobs::kind.eq(kind));
    }
    if let Some(batch) = filter.batch {
        query = query.filter(jobs::batch_id.eq(batch.0));
    }
    if let Some(tag) = &filter.tag {
        let tagged = job_tags::table.filter(job_tags::tag.eq(tag)).select(job_tags::job_id);
        query = query.filter(jobs::id.eq_any(tagged));
    }
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
