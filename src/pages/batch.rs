//! `/batches/{id}`: one batch with its jobs and failures.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::batch::Batch;
use crate::job::{BatchId, State};
use crate::pages::error_page::PageError;
use crate::pages::forms::form;
use crate::pages::parts::job_row::{JobRow, StateBadge};
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem, SLOW_POLL_MS, query_string};
use crate::pages::parts::number::Count;
use crate::pages::parts::state_bar::StateBar;
use crate::pages::parts::time::{DurationText, RelativeTime};
use crate::pages::response::{PageResult, form_resource, page_resource, redirect_to, render};
use crate::server::Handle;
use crate::store::JobFilter;

/// Maximum number of failed jobs shown.
const FAILURES: u32 = 10;

/// Maximum number of jobs shown.
const JOBS: u32 = 50;

pub(super) fn resource() -> Resource {
    page_resource("/batches/{id}", show_batch)
}

pub(super) fn cancel() -> Resource {
    form_resource("/batches/{id}/cancel", cancel_batch)
}

/// Number of the batch's jobs in a state, with a link to them.
struct StateCount {
    state: StateBadge,
    count: Count,
    query: String,
}

#[derive(Template)]
#[template(path = "batch.html")]
struct BatchPage {
    layout: Layout,
    state_bar: StateBar,
    done: Count,
    total: Count,
    percent: i64,
    created: RelativeTime,
    finished: Option<RelativeTime>,
    elapsed: DurationText,
    state_counts: Vec<StateCount>,
    failed: Vec<JobRow>,
    rows: Vec<JobRow>,
    has_more: bool,
    is_selectable: bool,
    batch: Batch,
}

async fn show_batch(request: HttpRequest, handle: Data<Handle>) -> PageResult {
    let id = id(&request)?;
    let batch = handle.batch(id).await?;
    let failed = JobFilter {
        batch: Some(id),
        state: Some(State::Failed),
        limit: FAILURES,
        ..JobFilter::default()
    };
    let failed = match batch.counts.failed {
        0 => Vec::new(),
        _ => handle.jobs(failed).await?.jobs,
    };
    let all = JobFilter { batch: Some(id), limit: JOBS, ..JobFilter::default() };
    let all = handle.jobs(all).await?;
    let now = handle.now();
    let title = format!("Batch {id}");
    let layout = match batch.finished_at {
        Some(_) => Layout::live(title, NavItem::Batches, SLOW_POLL_MS),
        None => Layout::live(title, NavItem::Batches, FAST_POLL_MS)
            .with_events(format!("/v1/batches/{id}/events")),
    };
    let done = batch.total - batch.counts.live();
    render(&BatchPage {
        layout,
        state_bar: StateBar::new(batch.counts, batch.total),
        done: Count::new(done),
        total: Count::new(batch.total),
        percent: done * 100 / batch.total.max(1),
        created: RelativeTime::new(batch.created_at, now),
        finished: batch.finished_at.map(|at| RelativeTime::new(at, now)),
        elapsed: DurationText::new(batch.finished_at.unwrap_or(now).since(batch.created_at)),
        state_counts: state_counts(&batch),
        failed: JobRow::all("failed", &failed, now),
        rows: JobRow::all("job", &all.jobs, now),
        has_more: all.next.is_some(),
        is_selectable: false,
        batch,
    })
}

async fn cancel_batch(request: HttpRequest, body: Payload, handle: Data<Handle>) -> PageResult {
    form::read(&request, body, &handle).await?;
    let id = id(&request)?;
    handle.cancel_batch(id).await?;
    redirect_to(format!("/batches/{id}"))
}

fn state_counts(batch: &Batch) -> Vec<StateCount> {
    let each = State::ALL.into_iter();
    each.map(|state| StateCount {
        state: StateBadge(state),
        count: Count::new(batch.counts.get(state)),
        query: query_string(&[
            ("state", Some(state.to_string())),
            ("batch", Some(batch.id.to_string())),
        ]),
    })
    .collect()
}

fn id(request: &HttpRequest) -> Result<BatchId, PageError> {
    let text = request.match_info().get("id").unwrap_or_default();
    let invalid =
        |_| PageError::not_found(format!("batch {text} does not exist: a batch id is a number"));
    text.parse().map_err(invalid)
}
