//! `/batches/{id}`: one batch, its jobs, its failures.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::batch::Batch;
use crate::job::{BatchId, State};
use crate::pages::answer::{Answered, action, go_to, page, show};
use crate::pages::dress::{CALM_MS, Dress, LIVELY_MS, Place, query};
use crate::pages::form;
use crate::pages::moment::{Moment, Took};
use crate::pages::number::Count;
use crate::pages::row::{Chip, Row};
use crate::pages::stack::Stack;
use crate::pages::trouble::Trouble;
use crate::server::Handle;
use crate::store::JobFilter;

/// How many of its failures are shown.
const FAILURES: u32 = 10;

/// How many of its jobs are shown.
const JOBS: u32 = 50;

pub(super) fn one() -> Resource {
    page("/batches/{id}", look)
}

pub(super) fn cancel() -> Resource {
    action("/batches/{id}/cancel", cancel_batch)
}

/// How many of its jobs stand in a state.
struct Standing {
    state: Chip,
    count: Count,
    query: String,
}

#[derive(Template)]
#[template(path = "batch.html")]
struct BatchPage {
    dress: Dress,
    stack: Stack,
    done: Count,
    total: Count,
    percent: i64,
    created: Moment,
    finished: Option<Moment>,
    took: Took,
    standing: Vec<Standing>,
    failed: Vec<Row>,
    rows: Vec<Row>,
    has_more: bool,
    selects: bool,
    batch: Batch,
}

async fn look(request: HttpRequest, handle: Data<Handle>) -> Answered {
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
    let dress = match batch.finished_at {
        Some(_) => Dress::live(title, Place::Batches, CALM_MS),
        None => {
            Dress::live(title, Place::Batches, LIVELY_MS).events(format!("/v1/batches/{id}/events"))
        }
    };
    let done = batch.total - batch.counts.live();
    show(&BatchPage {
        dress,
        stack: Stack::new(batch.counts, batch.total),
        done: Count::new(done),
        total: Count::new(batch.total),
        percent: done * 100 / batch.total.max(1),
        created: Moment::new(batch.created_at, now),
        finished: batch.finished_at.map(|at| Moment::new(at, now)),
        took: Took::new(batch.finished_at.unwrap_or(now).since(batch.created_at)),
        standing: standing(&batch),
        failed: Row::all("failed", &failed, now),
        rows: Row::all("job", &all.jobs, now),
        has_more: all.next.is_some(),
        selects: false,
        batch,
    })
}

async fn cancel_batch(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    form::read(&request, body, &handle).await?;
    let id = id(&request)?;
    handle.cancel_batch(id).await?;
    go_to(format!("/batches/{id}"))
}

fn standing(batch: &Batch) -> Vec<Standing> {
    let mut counts = batch.counts;
    let each = State::ALL.into_iter();
    each.map(|state| Standing {
        state: Chip(state),
        count: Count::new(*counts.of(state)),
        query: query(&[("state", Some(state.to_string())), ("batch", Some(batch.id.to_string()))]),
    })
    .collect()
}

fn id(request: &HttpRequest) -> Result<BatchId, Trouble> {
    let text = request.match_info().get("id").unwrap_or_default();
    let none = |_| Trouble::none(format!("there is no batch {text}: ids are numbers"));
    text.parse().map_err(none)
}
