//! `/queues/{name}`: one queue with its metrics, limits and latest jobs.

use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, HttpResponse, Resource};
use askama::Template;

use crate::job::QueueName;
use crate::job::problem::Quoted;
use crate::job::queue::QueueChange;
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::form;
use crate::pages::forms::limits::{self, LimitsForm};
use crate::pages::parts::job_row::JobRow;
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem, SLOW_RELOAD_SECS};
use crate::pages::parts::metrics_panel::MetricsPanel;
use crate::pages::parts::state_count::StateCount;
use crate::pages::parts::time::DurationText;
use crate::pages::queues;
use crate::pages::response::error_page::PageError;
use crate::pages::response::render::render_with_status;
use crate::pages::response::resource::{form_resource, page_resource};
use crate::pages::response::{PageResult, redirect_to};
use crate::server::Handle;
use crate::store::JobFilter;

/// Maximum number of jobs shown.
const LATEST: u32 = 20;

pub(super) fn resource() -> Resource {
    page_resource("/queues/{name}", show_queue)
}

pub(super) fn pause() -> Resource {
    form_resource("/queues/{name}/pause", pause_queue)
}

pub(super) fn resume() -> Resource {
    form_resource("/queues/{name}/resume", resume_queue)
}

pub(super) fn limit() -> Resource {
    form_resource("/queues/{name}/limits", limit_queue)
}

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    layout: Layout,
    name: QueueName,
    is_paused: bool,
    limits: String,
    oldest: Option<DurationText>,
    state_counts: Vec<StateCount>,
    metrics: MetricsPanel,
    form: LimitsForm,
    rows: Vec<JobRow>,
    is_selectable: bool,
}

async fn show_queue(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    render_queue(&handle, name(&request)?, None).await
}

async fn pause_queue(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    set_paused(&request, body, &handle, true).await
}

async fn resume_queue(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    set_paused(&request, body, &handle, false).await
}

/// Pauses or resumes the queue in the path, and redirects to the page with the button.
async fn set_paused(
    request: &HttpRequest,
    body: Payload,
    handle: &Handle,
    paused: bool,
) -> PageResult {
    let fields = form::read(request, body, handle).await?;
    let name = name(request)?;
    let change = QueueChange { paused: Some(paused), ..QueueChange::default() };
    handle.configure(name.clone(), change).await?;
    let back = fields.trimmed("back").and_then(queues::path_of);
    redirect_to(back.unwrap_or_else(|| format!("/queues/{name}")))
}

async fn limit_queue(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    let fields = form::read(&request, body, &handle).await?;
    let name = name(&request)?;
    match LimitsForm::parse(&fields) {
        Ok(change) => {
            handle.configure(name.clone(), change).await?;
            redirect_to(format!("/queues/{name}"))
        }
        Err(form) => render_queue(&handle, name, Some(form)).await,
    }
}

/// Renders the page of a queue. `invalid` is the submitted form of the limits, if it has errors.
async fn render_queue(handle: &Handle, name: QueueName, invalid: Option<LimitsForm>) -> PageResult {
    let not_found = || {
        PageError::not_found(format!(
            "queue {name} does not exist: it has no jobs and has not been configured"
        ))
    };
    let queue = handle.queue(name.clone()).await?.ok_or_else(not_found)?;
    let stats = handle.stats(Some(name.clone())).await?;
    let latest = JobFilter { queue: Some(name.clone()), limit: LATEST, ..JobFilter::default() };
    let latest = handle.jobs(latest).await?.jobs;
    let (may, title) = (Permissions::of(handle), format!("Queue {name}"));
    // The response to a form cannot be refreshed: its address accepts only forms.
    let layout = match invalid {
        Some(_) => Layout::fixed(may, title, NavItem::Queues),
        None => {
            Layout::live(may, title, NavItem::Queues, FAST_POLL_MS).with_reload(SLOW_RELOAD_SECS)
        }
    };
    let status = if invalid.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = QueuePage {
        layout,
        is_paused: queue.settings.paused,
        limits: limits::describe(&queue.settings),
        oldest: queue.oldest_queued_age.map(|age| DurationText::new(age.duration())),
        state_counts: StateCount::all(queue.jobs, ("queue", name.as_str())),
        metrics: MetricsPanel::new(&stats),
        form: invalid.unwrap_or_else(|| LimitsForm::new(&queue.settings)),
        rows: JobRow::all("job", &latest, handle.now()),
        is_selectable: false,
        name,
    };
    let response: HttpResponse = render_with_status(status, &page);
    Ok(response)
}

fn name(request: &HttpRequest) -> Result<QueueName, PageError> {
    let text = request.match_info().get("name").unwrap_or_default();
    text.parse().map_err(|error| {
        let text = Quoted(text);
        PageError::not_found(format!("queue {text} does not exist: the name is invalid: {error}"))
    })
}
