//! `/jobs/{id}`: everything that is known about one job.

mod attempts;
mod timeline;
pub(super) mod webhooks;

use actix_web::web::ReqData;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::callback::CALLBACK_KIND;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::{Job, JobId, Log, State, Timestamp};
use crate::pages::access::permissions::Permissions;
use crate::pages::parts::job_row::{ProgressBar, StateBadge, Tag};
use crate::pages::parts::json_view::JsonView;
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem, SLOW_POLL_MS};
use crate::pages::parts::time::RelativeTime;
use crate::pages::response::resource::{page_resource, path_id};
use crate::pages::response::{PageResult, render};
use crate::server::Handle;
use attempts::AttemptEntry;
use timeline::{TimelineEvent, events};
use webhooks::{FollowUpLink, Webhooks, path_of};

pub(super) fn resource() -> Resource {
    page_resource("/jobs/{id}", show_job)
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    layout: Layout,
    state: StateBadge,
    can_cancel: bool,
    can_run_now: bool,
    can_retry: bool,
    progress: Option<ProgressBar>,
    progress_message: Option<String>,
    events: Vec<TimelineEvent>,
    lease_expires: Option<RelativeTime>,
    expires: Option<RelativeTime>,
    /// Time until which a queued job waits.
    waiting_until: Option<RelativeTime>,
    tags: Vec<Tag>,
    attempts: Vec<AttemptEntry>,
    /// Number of earlier attempts, which are not shown.
    omitted: usize,
    metadata: Option<JsonView>,
    payload: JsonView,
    result: Option<JsonView>,
    log: Log,
    webhooks: Option<Webhooks>,
    follow_up: Option<FollowUpLink>,
    /// The job or batch whose webhook this job delivers: its path and its name.
    delivered: Option<(String, String)>,
    job: Job,
}

/// What is read about a job.
struct Shown {
    job: Job,
    log: Log,
    deliveries: Vec<DeliveryStatus>,
    /// The job or batch whose webhook this job delivers.
    owner: Option<Owner>,
}

async fn show_job(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    let id: JobId = path_id(&request, "job")?;
    let job = handle.job(id).await?;
    let log = handle.log(id, 0).await?;
    let deliveries = match job.callback {
        Some(_) => handle.deliveries_of_job(id).await?,
        None => Vec::new(),
    };
    let owner = match job.kind.as_str() {
        CALLBACK_KIND => handle.owner_of_delivery(id).await?,
        _ => None,
    };
    let shown = Shown { job, log, deliveries, owner };
    render(&JobPage::new(Permissions::of(&handle), shown, handle.now()))
}

impl JobPage {
    fn new(may: Permissions, shown: Shown, now: Timestamp) -> Self {
        let Shown { job, log, deliveries, owner } = shown;
        let relative = |at| RelativeTime::new(at, now);
        let api_path = format!("/v1/jobs/{}", job.id);
        let poll_ms = if job.state.is_final() { SLOW_POLL_MS } else { FAST_POLL_MS };
        let this = Owner::Job(job.id);
        let webhooks = Webhooks::new(this, job.callback.as_ref(), deliveries, &may, now);
        let follow_up = job.then.as_ref().map(|then| FollowUpLink::new(then, &may));
        let layout = Layout::live(may, format!("Job {}", job.id), NavItem::Jobs, poll_ms);
        let progress = job.progress.as_ref().filter(|_| !job.state.is_final());
        Self {
            layout: if job.state.is_final() {
                layout
            } else {
                layout.with_events(format!("{api_path}/events"))
            },
            state: StateBadge(job.state),
            can_cancel: !job.state.is_final() && !job.cancel_requested,
            can_run_now: matches!(job.state, State::Scheduled | State::Retrying),
            can_retry: job.state.is_final(),
            progress: progress.map(|progress| ProgressBar::new(progress.percent)),
            progress_message: progress.and_then(|progress| progress.message.clone()),
            events: events(&job, now),
            lease_expires: job.lease_expires_at.map(relative),
            expires: job.expires_at.map(relative),
            waiting_until: job.waiting_until.map(relative),
            tags: Tag::all(&job),
            attempts: attempts::entries(&job, now),
            omitted: attempts::omitted(&job),
            metadata: job.metadata.as_ref().map(|json| JsonView::new(Some(json), &api_path)),
            payload: JsonView::new(job.payload.as_ref(), &api_path),
            result: job.result_json().map(|result| JsonView::new(Some(result), &api_path)),
            log,
            webhooks,
            follow_up,
            delivered: owner.map(|owner| (path_of(owner), owner.to_string())),
            job,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::attempt::{ExitDetail, ResponseDetail};
    use crate::job::{Attempt, AttemptDetail, JobError, Json, Lane, Submission};

    const EVIL: &str = "</pre><script>alert(1)</script>\"";

    /// Returns a failed attempt about which everything is known, with the same text everywhere.
    fn attempt(text: &str) -> Attempt {
        let text = || text.to_owned();
        let response = ResponseDetail {
            status: 429,
            headers: [("x-note".to_owned(), text())].into(),
            body: Some(text()),
            body_base64: Some("AAEC".into()),
        };
        let exit = ExitDetail { status: Some(3), signal: None, stdout: text(), stderr: text() };
        let detail = AttemptDetail {
            response: Some(response),
            exit: Some(exit),
            traceback: Some(text()),
            data: Json::of(&text()).ok(),
            result: Some(text()),
            request_id: Some(text()),
        };
        Attempt {
            attempt: 1,
            state: State::Failed,
            started_at: Some(Timestamp::from_millis(1_000)),
            ended_at: Some(Timestamp::from_millis(2_250)),
            worker: Some(text()),
            code: Some(text()),
            message: Some(text()),
            detail,
        }
    }

    fn page(text: &str) -> String {
        let now = Timestamp::from_millis(10_000);
        let submission = Submission::new("echo", &1).unwrap();
        let job = submission.check(Lane::Async, &Default::default(), now).unwrap();
        let mut job = job.inserted(JobId(1), now);
        job.attempts = Some(vec![attempt(text)]);
        render_job(job, Vec::new(), now)
    }

    fn render_job(job: Job, deliveries: Vec<DeliveryStatus>, now: Timestamp) -> String {
        let shown = Shown { job, log: Log::default(), deliveries, owner: None };
        JobPage::new(Permissions::none(), shown, now).render().unwrap()
    }

    #[test]
    fn no_text_of_a_delivery_becomes_markup() {
        let now = Timestamp::from_millis(10_000);
        let submission = Submission::new("echo", &1).unwrap();
        let job = submission.check(Lane::Async, &Default::default(), now).unwrap();
        let mut job = job.inserted(JobId(1), now);
        job.callback = serde_json::from_str(r#"{"url": "https://a.example"}"#).unwrap();
        let delivery = DeliveryStatus {
            id: JobId(2),
            event: None,
            url: Some(format!("https://{EVIL}")),
            state: State::Failed,
            attempt: 10,
            max_attempts: 10,
            status: Some(500),
            created_at: now,
            next_attempt_at: None,
            finished_at: Some(now),
            error: Some(JobError::new(EVIL, EVIL)),
        };
        let html = render_job(job, vec![delivery], now);
        assert!(html.contains("id=\"delivery-2\"") && html.contains("10 of 10"), "{html}");
        assert_eq!(html.matches("<script").count(), 1, "only the page's own script");
    }

    #[test]
    fn everything_that_is_known_about_an_attempt_is_shown() {
        let html = page("the text");
        for expected in [
            "<strong>Attempt 1</strong>",
            "<code>the text</code>",
            "took 1.25 s, worker the text, response status 429, exit status 3, request id the text.",
            "<dt>x-note</dt><dd>the text</dd>",
            "aria-label=\"Response body of attempt 1\">the text</pre>",
            "AAEC",
            "aria-label=\"Standard output of attempt 1\">the text</pre>",
            "aria-label=\"Standard error of attempt 1\">the text</pre>",
            "<h3>Data</h3>",
            "<h3>Beginning and end of the result</h3>",
            "<details><summary>Traceback</summary>",
        ] {
            assert!(html.contains(expected), "{expected} is missing in {html}");
        }
    }

    #[test]
    fn no_text_of_an_attempt_becomes_markup() {
        let html = page(EVIL);
        assert_eq!(html.matches("<script").count(), 1, "only the page's own script");
        assert!(!html.contains("alert(1)</script>"), "{html}");
    }
}
