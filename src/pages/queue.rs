//! `/queues/{name}`: one queue, its hour, its limits.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Resource};
use askama::Template;

use crate::job::queue::{QueueChange, StateCounts};
use crate::job::{QueueName, State};
use crate::pages::answer::{Answered, action, go_to, page, with_status};
use crate::pages::dress::{Dress, LIVELY_MS, Place, SLOW_RELOAD_SECS, query};
use crate::pages::form;
use crate::pages::hour::Hour;
use crate::pages::limits::{self, LimitsForm};
use crate::pages::moment::Took;
use crate::pages::number::Count;
use crate::pages::row::{Chip, Row};
use crate::pages::trouble::Trouble;
use crate::server::Handle;
use crate::store::JobFilter;

/// How many of its latest jobs are shown.
const LATEST: u32 = 20;

pub(super) fn one() -> Resource {
    page("/queues/{name}", look)
}

pub(super) fn pause() -> Resource {
    action("/queues/{name}/pause", pause_queue)
}

pub(super) fn resume() -> Resource {
    action("/queues/{name}/resume", resume_queue)
}

pub(super) fn limit() -> Resource {
    action("/queues/{name}/limits", limit_queue)
}

/// How many of its jobs stand in a state.
struct Standing {
    state: Chip,
    count: Count,
    query: String,
}

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    dress: Dress,
    name: QueueName,
    is_paused: bool,
    limits: String,
    oldest: Option<Took>,
    standing: Vec<Standing>,
    hour: Hour,
    form: LimitsForm,
    rows: Vec<Row>,
    selects: bool,
}

async fn look(request: HttpRequest, handle: Data<Handle>) -> Answered {
    show_queue(&handle, name(&request)?, None).await
}

async fn pause_queue(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    turn(&request, body, &handle, true).await
}

async fn resume_queue(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    turn(&request, body, &handle, false).await
}

/// Pauses or resumes.
async fn turn(request: &HttpRequest, body: Payload, handle: &Handle, paused: bool) -> Answered {
    let fields = form::read(request, body, handle).await?;
    let name = name(request)?;
    let change = QueueChange { paused: Some(paused), ..QueueChange::default() };
    handle.configure(name.clone(), change).await?;
    match fields.word("back") {
        Some("overview") => go_to("/"),
        _ => go_to(format!("/queues/{name}")),
    }
}

async fn limit_queue(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    let fields = form::read(&request, body, &handle).await?;
    let name = name(&request)?;
    match LimitsForm::read(&fields) {
        Ok(change) => {
            handle.configure(name.clone(), change).await?;
            go_to(format!("/queues/{name}"))
        }
        Err(form) => show_queue(&handle, name, Some(form)).await,
    }
}

/// The page of a queue; with a form that is wrong, where one is.
async fn show_queue(handle: &Handle, name: QueueName, wrong: Option<LimitsForm>) -> Answered {
    let none = || {
        Trouble::none(format!("no job has named a queue {name} yet, and nobody has configured it"))
    };
    let queue = handle.queue(name.clone()).await?.ok_or_else(none)?;
    let stats = handle.stats(Some(name.clone())).await?;
    let latest = JobFilter { queue: Some(name.clone()), limit: LATEST, ..JobFilter::default() };
    let latest = handle.jobs(latest).await?.jobs;
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = QueuePage {
        dress: Dress::live(format!("Queue {name}"), Place::Overview, LIVELY_MS)
            .reload(SLOW_RELOAD_SECS),
        is_paused: queue.settings.paused,
        limits: limits::told(&queue.settings),
        oldest: queue.oldest_queued_age.map(|age| Took::new(age.duration())),
        standing: standing(&name, queue.jobs),
        hour: Hour::of(&stats),
        form: wrong.unwrap_or_else(|| LimitsForm::of(&queue.settings)),
        rows: Row::all("job", &latest, handle.now()),
        selects: false,
        name,
    };
    let answer: HttpResponse = with_status(status, &page);
    Ok(answer)
}

fn standing(name: &QueueName, mut counts: StateCounts) -> Vec<Standing> {
    let each = State::ALL.into_iter();
    each.map(|state| Standing {
        state: Chip(state),
        count: Count::new(*counts.of(state)),
        query: query(&[("state", Some(state.to_string())), ("queue", Some(name.to_string()))]),
    })
    .collect()
}

fn name(request: &HttpRequest) -> Result<QueueName, Trouble> {
    let text = request.match_info().get("name").unwrap_or_default();
    text.parse()
        .map_err(|error| Trouble::none(format!("there is no queue {text:?}: it is {error}")))
}
