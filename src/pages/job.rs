//! `/jobs/{id}`: everything that is known about one job.

mod timeline;

use actix_web::web::Data;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::{Job, JobId, Log, State, Timestamp};
use crate::pages::parts::job_row::{ProgressBar, StateBadge, Tag};
use crate::pages::parts::json_view::JsonView;
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem, SLOW_POLL_MS};
use crate::pages::parts::time::RelativeTime;
use crate::pages::response::resource::{page_resource, path_id};
use crate::pages::response::{PageResult, render};
use crate::server::Handle;
use timeline::{TimelineEvent, events};

pub(super) fn resource() -> Resource {
    page_resource("/jobs/{id}", show_job)
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    layout: Layout,
    state: StateBadge,
    can_cancel: bool,
    can_retry: bool,
    progress: Option<ProgressBar>,
    progress_message: Option<String>,
    events: Vec<TimelineEvent>,
    lease_expires: Option<RelativeTime>,
    expires: Option<RelativeTime>,
    tags: Vec<Tag>,
    payload: JsonView,
    result: Option<JsonView>,
    log: Log,
    job: Job,
}

async fn show_job(request: HttpRequest, handle: Data<Handle>) -> PageResult {
    let id: JobId = path_id(&request, "job")?;
    let job = handle.job(id).await?;
    let log = handle.log(id, 0).await?;
    render(&JobPage::new(job, log, handle.now()))
}

impl JobPage {
    fn new(job: Job, log: Log, now: Timestamp) -> Self {
        let relative = |at| RelativeTime::new(at, now);
        let api_path = format!("/v1/jobs/{}", job.id);
        let poll_ms = if job.state.is_final() { SLOW_POLL_MS } else { FAST_POLL_MS };
        let layout = Layout::live(format!("Job {}", job.id), NavItem::Jobs, poll_ms);
        let progress = job.progress.as_ref().filter(|_| !job.state.is_final());
        Self {
            layout: if job.state.is_final() {
                layout
            } else {
                layout.with_events(format!("{api_path}/events"))
            },
            state: StateBadge(job.state),
            can_cancel: !job.state.is_final() && !job.cancel_requested,
            can_retry: job.state.is_final() || job.state == State::Retrying,
            progress: progress.map(|progress| ProgressBar::new(progress.percent)),
            progress_message: progress.and_then(|progress| progress.message.clone()),
            events: events(&job, now),
            lease_expires: job.lease_expires_at.map(relative),
            expires: job.expires_at.map(relative),
            tags: Tag::all(&job),
            payload: JsonView::new(job.payload.as_ref(), &api_path),
            result: job.result_json().map(|result| JsonView::new(Some(result), &api_path)),
            log,
            job,
        }
    }
}
