//! `/batches/{id}`: one batch with its jobs and failures.

use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::batch::Batch;
use crate::job::submission::on_end::Owner;
use crate::job::{BatchId, JobId, State};
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::form;
use crate::pages::job::webhooks::{FollowUpLink, Webhooks};
use crate::pages::parts::job_row::JobRow;
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem, SLOW_POLL_MS};
use crate::pages::parts::number::Count;
use crate::pages::parts::state_bar::StateBar;
use crate::pages::parts::state_count::StateCount;
use crate::pages::parts::time::{DurationText, RelativeTime};
use crate::pages::response::resource::{form_resource, page_resource, path_id};
use crate::pages::response::{PageResult, redirect_to, render};
use crate::server::Handle;
use crate::store::JobFilter;

/// Maximum number of failed jobs shown.
const FAILURES: u32 = 10;

/// Maximum number of jobs shown.
const JOBS: u32 = 50;

pub(crate) fn resource() -> Resource {
    page_resource("/batches/{id}", show_batch)
}

pub(crate) fn cancel() -> Resource {
    form_resource("/batches/{id}/cancel", cancel_batch)
}

pub(crate) fn close() -> Resource {
    form_resource("/batches/{id}/close", close_batch)
}

pub(crate) fn retry() -> Resource {
    form_resource("/batches/{id}/retry", retry_batch)
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
    /// Time at which an open batch closes by itself.
    closes: Option<RelativeTime>,
    has_failures: bool,
    elapsed: DurationText,
    state_counts: Vec<StateCount>,
    failed: Vec<JobRow>,
    rows: Vec<JobRow>,
    has_more: bool,
    is_selectable: bool,
    webhooks: Option<Webhooks>,
    follow_up: Option<FollowUpLink>,
    batch: Batch,
}

async fn show_batch(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    let id: BatchId = path_id(&request, "batch")?;
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
    let all =
        JobFilter { batch: Some(id), limit: JOBS, with_metadata: true, ..JobFilter::default() };
    let all = handle.jobs(all).await?;
    let now = handle.now();
    let (may, title) = (Permissions::of(&handle), format!("Batch {id}"));
    let deliveries = match batch.callback {
        Some(_) => handle.deliveries_of_batch(id).await?,
        None => Vec::new(),
    };
    let webhooks = Webhooks::new(Owner::Batch(id), batch.callback.as_ref(), deliveries, &may, now);
    let follow_up = batch.then.as_ref().map(|then| FollowUpLink::new(then, &may));
    let layout = match batch.finished_at {
        Some(_) => Layout::live(may, title, NavItem::Batches, SLOW_POLL_MS),
        None => Layout::live(may, title, NavItem::Batches, FAST_POLL_MS)
            .with_events(format!("/v1/batches/{id}/events")),
    };
    let done = batch.done();
    render(&BatchPage {
        layout,
        state_bar: StateBar::new(batch.counts, batch.total),
        done: Count::new(done),
        total: Count::new(batch.total),
        // A batch without jobs is done.
        percent: if batch.total == 0 { 100 } else { done * 100 / batch.total },
        created: RelativeTime::new(batch.created_at, now),
        finished: batch.finished_at.map(|at| RelativeTime::new(at, now)),
        closes: batch.closes_at.map(|at| RelativeTime::new(at, now)),
        has_failures: batch.counts.failed > 0,
        elapsed: DurationText::new(batch.finished_at.unwrap_or(now).since(batch.created_at)),
        state_counts: StateCount::all(batch.counts, ("batch", &id.to_string())),
        failed: JobRow::all("failed", &failed, now),
        rows: JobRow::all("job", &all.jobs, now),
        has_more: all.next.is_some(),
        is_selectable: false,
        webhooks,
        follow_up,
        batch,
    })
}

async fn cancel_batch(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    form::read(&request, body, &handle).await?;
    let id: BatchId = path_id(&request, "batch")?;
    handle.cancel_batch(id).await?;
    redirect_to(format!("/batches/{id}"))
}

async fn close_batch(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    form::read(&request, body, &handle).await?;
    let id: BatchId = path_id(&request, "batch")?;
    handle.close_batch(id).await?;
    redirect_to(format!("/batches/{id}"))
}

async fn retry_batch(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    form::read(&request, body, &handle).await?;
    let id: BatchId = path_id(&request, "batch")?;
    handle.retry_batch(id, vec![State::Failed], JobId(0)).await?;
    redirect_to(format!("/batches/{id}"))
}
