//! `/v1/jobs/{id}/events`, `/v1/batches/{id}/events` and `/v1/events`: what happens, as it happens.
//!
//! Server-sent events, as <https://html.spec.whatwg.org/multipage/server-sent-events.html> has them.

use std::fmt::Display;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Bytes, Data};
use actix_web::{Error, HttpRequest, HttpResponse, Resource};
use futures_util::stream;
use serde::Serialize;

use crate::http::answer::{Answered, resource};
use crate::http::query::{self, NoQuery, Parameters};
use crate::job::batch::Batch;
use crate::job::queue::NotAName;
use crate::job::{BatchId, JobId};
use crate::server::{
    AllEvent, AllEvents, AllFilter, BatchEvents, Handle, JobEvent, JobEvents, Position,
};

/// How often a comment comes where nothing happens, so that nobody between takes the connection
/// for dead.
const COMMENT_INTERVAL: Duration = Duration::from_secs(15);

/// What comes first: after how many milliseconds a client whose connection broke comes again.
const GREETING: &str = "retry: 1000\n";

const COMMENT: &str = ":\n\n";

pub(super) fn of_job() -> Resource {
    resource("/v1/jobs/{id}/events", "GET").route(web::get().to(listen_to_job))
}

pub(super) fn of_batch() -> Resource {
    resource("/v1/batches/{id}/events", "GET").route(web::get().to(listen_to_batch))
}

pub(super) fn of_all() -> Resource {
    resource("/v1/events", "GET").route(web::get().to(listen_to_all))
}

async fn listen_to_job(request: HttpRequest, _: NoQuery, handle: Data<Handle>) -> Answered {
    let id: JobId = query::id(&request)?;
    // Who tells what was never an id is told all.
    let position = last_id(&request).and_then(|text| text.parse().ok());
    let events = handle.job_events(id, position).await?;
    Ok(events.map_or_else(nothing_more, |events| streamed(Source::Job(Box::new(events)))))
}

async fn listen_to_batch(request: HttpRequest, _: NoQuery, handle: Data<Handle>) -> Answered {
    let id: BatchId = query::id(&request)?;
    let events = handle.batch_events(id).await?;
    if events.has_ended() && last_id(&request) == Some(END_OF_BATCH) {
        return Ok(nothing_more());
    }
    Ok(streamed(Source::Batch(Box::new(events))))
}

async fn listen_to_all(request: HttpRequest, handle: Data<Handle>) -> Answered {
    let mut query = Parameters::read(&request, &["queue", "kind"])?;
    let filter = AllFilter { queue: query.parse("queue", NotAName), kind: query.take("kind") };
    query.whole()?;
    let events = Box::new(handle.events(filter)?);
    // Nothing is kept for who was away.
    let is_back = last_id(&request).is_some();
    Ok(streamed(Source::All { events, told: 0, is_back }))
}

fn last_id(request: &HttpRequest) -> Option<&str> {
    request.headers().get("last-event-id")?.to_str().ok()
}

/// 204: a browser does not come again.
fn nothing_more() -> HttpResponse {
    HttpResponse::new(StatusCode::NO_CONTENT)
}

/// Where events come from.
enum Source {
    Job(Box<JobEvents>),
    Batch(Box<BatchEvents>),
    All { events: Box<AllEvents>, told: u64, is_back: bool },
}

/// The id of the last event of a batch, and of all others.
const END_OF_BATCH: &str = "ended";
const AMID_BATCH: &str = "open";

fn streamed(source: Source) -> HttpResponse {
    let body = stream::unfold((source, true), |(mut source, is_first)| async move {
        let text = if is_first { source.greeting() } else { source.next_or_comment().await? };
        Some((Ok::<_, Error>(Bytes::from(text)), (source, false)))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx would hold events back until its buffer is full.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body)
}

impl Source {
    /// Who listens to all has an id from the begin, so that it is known to be back though nothing
    /// had happened.
    fn greeting(&self) -> String {
        match self {
            Self::Job(_) | Self::Batch(_) => format!("{GREETING}\n"),
            Self::All { .. } => format!("{GREETING}id: 0\n\n"),
        }
    }

    async fn next_or_comment(&mut self) -> Option<String> {
        match tokio::time::timeout(COMMENT_INTERVAL, self.next()).await {
            Ok(event) => event,
            Err(_nothing_happens) => Some(COMMENT.to_owned()),
        }
    }

    async fn next(&mut self) -> Option<String> {
        match self {
            Self::Job(events) => {
                events.next().await.map(|(position, event)| of_a_job(position, &event))
            }
            Self::Batch(events) => events.next().await.map(|batch| of_a_batch(&batch)),
            Self::All { events, told, is_back } => {
                *told += 1;
                if std::mem::take(is_back) {
                    return Some(of_all_jobs(*told, &AllEvent::Lost(0)));
                }
                events.next().await.map(|event| of_all_jobs(*told, &event))
            }
        }
    }
}

#[derive(Serialize)]
struct Gone {
    id: JobId,
}

#[derive(Serialize)]
struct Lost {
    events: u64,
}

fn of_a_job(position: Position, event: &JobEvent) -> String {
    match event {
        JobEvent::Failure(failure) => told(position, "failure", failure),
        JobEvent::Log(log) => told(position, "log", log),
        JobEvent::Progress(progress) => told(position, "progress", progress),
        JobEvent::State(job) => told(position, "state", job),
        JobEvent::Gone(id) => told(position, "gone", &Gone { id: *id }),
    }
}

fn of_a_batch(batch: &Batch) -> String {
    let id = if batch.finished_at.is_some() { END_OF_BATCH } else { AMID_BATCH };
    told(id, "batch", batch)
}

fn of_all_jobs(id: u64, event: &AllEvent) -> String {
    match event {
        AllEvent::Job(job) => told(id, "job", job),
        AllEvent::Gone(gone) => told(id, "gone", &Gone { id: *gone }),
        AllEvent::Lost(events) => told(id, "lost", &Lost { events: *events }),
    }
}

/// An event as it is sent. JSON has no ends of lines in it, so its data is one line.
fn told(id: impl Display, event: &str, data: &impl Serialize) -> String {
    match serde_json::to_string(data) {
        Ok(data) => format!("id: {id}\nevent: {event}\ndata: {data}\n\n"),
        Err(error) => {
            tracing::error!(%error, event, "an event cannot be written as JSON");
            COMMENT.to_owned()
        }
    }
}
