//! `/jobs/{id}`: one job, whole.

mod timeline;

use actix_web::web::Data;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::{Job, JobId, Log, State, Timestamp};
use crate::pages::answer::{Answered, page, show};
use crate::pages::dress::{CALM_MS, Dress, LIVELY_MS, Place};
use crate::pages::fold::Fold;
use crate::pages::moment::Moment;
use crate::pages::row::{Chip, ProgressBar, Tag};
use crate::pages::trouble::Trouble;
use crate::server::Handle;
use timeline::{Event, events};

pub(super) fn one() -> Resource {
    page("/jobs/{id}", look)
}

/// The id in the path. One that is no number leads to nothing.
pub(super) fn id(request: &HttpRequest) -> Result<JobId, Trouble> {
    let text = request.match_info().get("id").unwrap_or_default();
    let none = |_| Trouble::none(format!("there is no job {text}: ids are numbers"));
    text.parse().map_err(none)
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    dress: Dress,
    state: Chip,
    can_cancel: bool,
    can_retry: bool,
    progress: Option<ProgressBar>,
    progress_message: Option<String>,
    events: Vec<Event>,
    lease_expires: Option<Moment>,
    expires: Option<Moment>,
    tags: Vec<Tag>,
    payload: Fold,
    result: Option<Fold>,
    log: Log,
    job: Job,
}

async fn look(request: HttpRequest, handle: Data<Handle>) -> Answered {
    let id = id(&request)?;
    let job = handle.job(id).await?;
    let log = handle.log(id, 0).await?;
    show(&JobPage::new(job, log, handle.now()))
}

impl JobPage {
    fn new(job: Job, log: Log, now: Timestamp) -> Self {
        let moment = |at| Moment::new(at, now);
        let raw = format!("/v1/jobs/{}", job.id);
        let every_ms = if job.state.is_final() { CALM_MS } else { LIVELY_MS };
        let dress = Dress::live(format!("Job {}", job.id), Place::Jobs, every_ms);
        let progress = job.progress.as_ref().filter(|_| !job.state.is_final());
        Self {
            dress: if job.state.is_final() { dress } else { dress.events(format!("{raw}/events")) },
            state: Chip(job.state),
            can_cancel: !job.state.is_final() && !job.cancel_requested,
            can_retry: job.state.is_final() || job.state == State::Retrying,
            progress: progress.map(|progress| ProgressBar::new(progress.percent)),
            progress_message: progress.and_then(|progress| progress.message.clone()),
            events: events(&job, now),
            lease_expires: job.lease_expires_at.map(moment),
            expires: job.expires_at.map(moment),
            tags: Tag::all(&job),
            payload: Fold::new(job.payload.as_ref(), &raw),
            result: job.given().map(|result| Fold::new(Some(result), &raw)),
            log,
            job,
        }
    }
}
