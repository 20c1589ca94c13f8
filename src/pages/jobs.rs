//! `/jobs`: the list of jobs with filters and pages.

pub(super) mod actions;
mod list_query;

use actix_web::http::StatusCode;
use actix_web::web::ReqData;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::queue::{QueueName, StateCounts};
use crate::job::{JobId, State};
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::fields::Fields;
use crate::pages::parts::job_row::{JobRow, StateBadge};
use crate::pages::parts::layout::{Layout, NavItem, SLOW_POLL_MS, SLOW_RELOAD_SECS};
use crate::pages::parts::number::Count;
use crate::pages::parts::query::query_string;
use crate::pages::response::render::render_with_status;
use crate::pages::response::resource::page_resource;
use crate::pages::response::{PageResult, redirect_to, render};
use crate::server::{Error, Handle};
use crate::store::{JobFilter, JobPage};
use list_query::{ListQuery, PAGE_SIZE};

/// Maximum number of queues suggested in the filter. Other names can be typed.
const MAX_QUEUES: usize = 200;
/// Maximum number of kinds that the filter suggests.
const MAX_KINDS: usize = 200;

pub(super) fn resource() -> Resource {
    page_resource("/jobs", list)
}

/// A link that selects a state, with the number of jobs in it.
struct StateTab {
    state: Option<StateBadge>,
    query: String,
    /// `None` if there is no stored counter for this filter: jobs are not counted for a page.
    count: Option<Count>,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    layout: Layout,
    filter: ListQuery,
    problems: Vec<String>,
    action_summary: Option<String>,
    tabs: Vec<StateTab>,
    queues: Vec<String>,
    kinds: Vec<String>,
    rows: Vec<JobRow>,
    is_selectable: bool,
    back: String,
    newest: Option<String>,
    newer: Option<String>,
    older: Option<String>,
    searched_to: Option<JobId>,
}

async fn list(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    let fields = Fields::from_query(&request)?;
    let (list, filter, mut problems) = ListQuery::parse(&fields);
    if let (Ok(id), []) = (list.id.parse::<JobId>(), problems.as_slice()) {
        return redirect_to(format!("/jobs/{id}"));
    }
    if !list.id.is_empty() {
        problems.push("id must be a number".into());
    }
    let queues = handle.counts();
    let counts = counts(&handle, &filter, &queues).await?;
    let found = if problems.is_empty() { handle.jobs(filter).await? } else { JobPage::default() };
    let (may, is_invalid) = (Permissions::of(&handle), !problems.is_empty());
    let page = JobsPage {
        is_selectable: may.change_jobs(),
        layout: match is_invalid {
            true => Layout::fixed(may, "Jobs", NavItem::Jobs),
            false => layout(may, &list),
        },
        problems,
        action_summary: action_summary(&fields),
        tabs: tabs(&list, counts),
        queues: queue_names(&queues),
        kinds: handle.kinds().into_iter().take(MAX_KINDS).collect(),
        rows: JobRow::all("job", &found.jobs, handle.now()),
        back: list.query(),
        newest: list.before.is_some().then(|| list.first().query()),
        newer: list.newer().map(|newer| newer.query()),
        older: found.next.map(|next| list.older(next).query()),
        searched_to: found.next.filter(|_| found.jobs.len() < PAGE_SIZE as usize),
        filter: list,
    };
    if is_invalid { Ok(render_with_status(StatusCode::BAD_REQUEST, &page)) } else { render(&page) }
}

fn layout(may: Permissions, list: &ListQuery) -> Layout {
    let kind = Some(list.kind.clone());
    let events = query_string(&[("queue", list.queue.clone()), ("kind", kind)]);
    Layout::live(may, "Jobs", NavItem::Jobs, SLOW_POLL_MS)
        .with_reload(SLOW_RELOAD_SECS)
        .with_events(format!("/v1/events{events}"))
}

/// Returns the names of the queues that the filter suggests.
fn queue_names(queues: &[(QueueName, StateCounts)]) -> Vec<String> {
    let mut names: Vec<String> = queues.iter().map(|(name, _)| name.to_string()).collect();
    names.sort_unstable();
    names.truncate(MAX_QUEUES);
    names
}

/// Returns one tab for all jobs and one for each state.
fn tabs(list: &ListQuery, counts: Option<StateCounts>) -> Vec<StateTab> {
    let first = list.first();
    let tab = |state: Option<State>, count: Option<i64>| StateTab {
        state: state.map(StateBadge),
        query: ListQuery { state, ..first.clone() }.query(),
        count: count.map(Count::new),
        is_current: list.state == state,
    };
    let count_in = |state| counts.map(|counts| counts.get(state));
    let all = State::ALL.into_iter().map(count_in).sum();
    let mut tabs = vec![tab(None, all)];
    tabs.extend(State::ALL.into_iter().map(|state| tab(Some(state), count_in(state))));
    tabs
}

/// Returns the number of jobs in each state that match the filter. The numbers come from the stored
/// counters of queues and batches; returns `None` if these do not fit the filter.
async fn counts(
    handle: &Handle,
    filter: &JobFilter,
    queues: &[(QueueName, StateCounts)],
) -> Result<Option<StateCounts>, Error> {
    match filter {
        JobFilter { kind: None, tag: None, batch: None, queue, .. } => {
            let matches = |name: &QueueName| queue.as_ref().is_none_or(|queue| queue == name);
            let mut sums = StateCounts::default();
            for (_, counts) in queues.iter().filter(|(name, _)| matches(name)) {
                sums.add(counts);
            }
            Ok(Some(sums))
        }
        JobFilter { kind: None, tag: None, queue: None, batch: Some(id), .. } => {
            match handle.batch(*id).await {
                Ok(batch) => Ok(Some(batch.counts)),
                Err(Error::Refused(_)) => Ok(None),
                Err(error) => Err(error),
            }
        }
        _ => Ok(None),
    }
}

/// Returns what an action did with the selected jobs, if its form redirected to this page.
fn action_summary(fields: &Fields) -> Option<String> {
    let number = |name| fields.get(name).and_then(|text| text.parse::<u32>().ok());
    let (done, refused) = (number("done")?, number("refused")?);
    let (action, reason) = match fields.get("did")? {
        "cancel" => ("cancelled or asked to stop", "already finished"),
        "retry" => ("queued again", "already running or waiting"),
        "delete" => ("deleted", "not finished yet, or already deleted"),
        _ => return None,
    };
    let jobs_were = |count| if count == 1 { "job was" } else { "jobs were" };
    let mut summary = format!("{done} {} {action}.", jobs_were(done));
    if refused > 0 {
        summary.push_str(&format!(" {refused} {} skipped: {reason}.", jobs_were(refused)));
    }
    Some(summary)
}
