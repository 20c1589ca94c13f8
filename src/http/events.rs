//! `/v1/jobs/{id}/events`, `/v1/batches/{id}/events` and `/v1/events`: streams of server-sent events.
//!
//! Their format is defined in <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::fmt::Display;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, ReqData};
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Serialize;

use crate::api::events::{EventName, EventQuery, Gone, Lost};
use crate::http::request::query::{self, NoQuery, Parameters};
use crate::http::response::HandlerResult;
use crate::job::batch::Batch;
use crate::job::queue::InvalidName;
use crate::job::{BatchId, JobId};
use crate::server::{
    AllEvent, AllEvents, AllFilter, BatchEvent, BatchEvents, BatchJobEvents, BatchPosition, Handle,
    JobEvent, JobEvents, Position,
};

/// Interval at which a comment is sent if there are no events, so that proxies do not close the
/// connection as idle.
const COMMENT_INTERVAL: Duration = Duration::from_secs(15);

/// First field of each stream: the number of milliseconds after which a client reconnects.
const RETRY_FIELD: &str = "retry: 1000\n";

/// A comment, which clients ignore.
const COMMENT: &str = ":\n\n";

pub(super) async fn subscribe_to_job(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let id: JobId = query::id(&request)?;
    // An invalid `Last-Event-ID` is ignored; the stream starts from the beginning.
    let position = last_id(&request).and_then(|text| text.parse().ok());
    let events = handle.job_events(id, position).await?;
    Ok(events
        .map_or_else(no_more_events, |events| event_stream(EventSource::Job(Box::new(events)))))
}

pub(super) async fn subscribe_to_batch(
    request: HttpRequest,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let id: BatchId = query::id(&request)?;
    let mut parameters = Parameters::read(&request, &["jobs"])?;
    let with_jobs = parameters.parse("jobs", "must be true or false").unwrap_or(false);
    parameters.checked()?;
    if with_jobs {
        // As for a job, an invalid `Last-Event-ID` is ignored.
        let position = last_id(&request).and_then(|text| text.parse().ok());
        let events = handle.batch_job_events(id, position).await?;
        let stream = |events| event_stream(EventSource::BatchJobs(Box::new(events)));
        return Ok(events.map_or_else(no_more_events, stream));
    }
    let events = handle.batch_events(id).await?;
    if events.has_ended() && last_id(&request) == Some(BATCH_ENDED) {
        return Ok(no_more_events());
    }
    Ok(event_stream(EventSource::Batch(Box::new(events))))
}

pub(super) async fn subscribe_to_all(
    request: HttpRequest,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let mut query = Parameters::read(&request, &EventQuery::PARAMETERS)?;
    let filter = AllFilter { queue: query.parse("queue", InvalidName), kind: query.take("kind") };
    query.checked()?;
    let events = Box::new(handle.events(filter)?);
    // Events that were missed between two connections are not stored; the client is informed.
    let is_reconnect = last_id(&request).is_some();
    Ok(event_stream(EventSource::All { events, sent: 0, is_reconnect }))
}

fn last_id(request: &HttpRequest) -> Option<&str> {
    request.headers().get("last-event-id")?.to_str().ok()
}

/// Returns 204, after which a browser does not reconnect.
fn no_more_events() -> HttpResponse {
    HttpResponse::new(StatusCode::NO_CONTENT)
}

/// The source of a stream of events.
enum EventSource {
    Job(Box<JobEvents>),
    Batch(Box<BatchEvents>),
    BatchJobs(Box<BatchJobEvents>),
    All { events: Box<AllEvents>, sent: u64, is_reconnect: bool },
}

/// Id of the last event of a batch.
const BATCH_ENDED: &str = "ended";
/// Id of all other events of a batch.
const BATCH_OPEN: &str = "open";

fn event_stream(source: EventSource) -> HttpResponse {
    let body = stream::unfold((source, true), |(mut source, is_first)| async move {
        let text = if is_first { source.first_text() } else { source.next_or_comment().await? };
        Some((Ok::<_, Error>(Bytes::from(text)), (source, false)))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // Without this header nginx delays events until its buffer is full.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body)
}

impl EventSource {
    /// Returns the first text of the stream. The stream of all jobs starts with an id, so that a client that
    /// reconnects is recognised even if it has received no event.
    fn first_text(&self) -> String {
        match self {
            Self::Job(_) | Self::Batch(_) | Self::BatchJobs(_) => format!("{RETRY_FIELD}\n"),
            Self::All { .. } => format!("{RETRY_FIELD}id: 0\n\n"),
        }
    }

    async fn next_or_comment(&mut self) -> Option<String> {
        match tokio::time::timeout(COMMENT_INTERVAL, self.next()).await {
            Ok(event) => event,
            Err(_no_event_in_time) => Some(COMMENT.to_owned()),
        }
    }

    async fn next(&mut self) -> Option<String> {
        match self {
            Self::Job(events) => {
                events.next().await.map(|(position, event)| job_event(position, &event))
            }
            Self::Batch(events) => events.next().await.map(|batch| batch_event(&batch)),
            Self::BatchJobs(events) => {
                events.next().await.map(|(position, event)| batch_job_event(position, &event))
            }
            Self::All { events, sent, is_reconnect } => {
                *sent += 1;
                if std::mem::take(is_reconnect) {
                    return Some(all_jobs_event(*sent, &AllEvent::Lost(0)));
                }
                events.next().await.map(|event| all_jobs_event(*sent, &event))
            }
        }
    }
}

fn job_event(position: Position, event: &JobEvent) -> String {
    match event {
        JobEvent::Failure(failure) => sse_event(position, EventName::Failure, failure),
        JobEvent::Log(log) => sse_event(position, EventName::Log, log),
        JobEvent::Progress(progress) => sse_event(position, EventName::Progress, progress),
        JobEvent::State(job) => sse_event(position, EventName::State, job),
        JobEvent::Gone(id) => sse_event(position, EventName::Gone, &Gone { id: *id }),
    }
}

fn batch_event(batch: &Batch) -> String {
    let id = if batch.finished_at.is_some() { BATCH_ENDED } else { BATCH_OPEN };
    sse_event(id, EventName::Batch, batch)
}

fn batch_job_event(position: BatchPosition, event: &BatchEvent) -> String {
    match event {
        BatchEvent::Batch(batch) => sse_event(position, EventName::Batch, batch),
        BatchEvent::Job(result) => sse_event(position, EventName::Job, result),
    }
}

fn all_jobs_event(id: u64, event: &AllEvent) -> String {
    match event {
        AllEvent::Job(job) => sse_event(id, EventName::Job, job),
        AllEvent::Gone(gone) => sse_event(id, EventName::Gone, &Gone { id: *gone }),
        AllEvent::Lost(events) => sse_event(id, EventName::Lost, &Lost { events: *events }),
    }
}

/// Formats an event. JSON text has no line breaks, so its data is one `data:` line.
fn sse_event(id: impl Display, event: EventName, data: &impl Serialize) -> String {
    match serde_json::to_string(data) {
        Ok(data) => format!("id: {id}\nevent: {event}\ndata: {data}\n\n"),
        Err(error) => {
            tracing::error!(%error, %event, "an event could not be serialized");
            COMMENT.to_owned()
        }
    }
}
