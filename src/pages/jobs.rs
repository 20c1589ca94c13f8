//! `/jobs`: the list of jobs with filters and pages.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::queue::{InvalidName, QueueName, StateCounts};
use crate::job::state::InvalidState;
use crate::job::{BatchId, JobId, State};
use crate::pages::forms::fields::Fields;
use crate::pages::parts::job_row::{JobRow, StateBadge};
use crate::pages::parts::layout::{Layout, NavItem, SLOW_POLL_MS, SLOW_RELOAD_SECS, query_string};
use crate::pages::parts::number::Count;
use crate::pages::response::{PageResult, page_resource, redirect_to, render, render_with_status};
use crate::server::{Error, Handle};
use crate::store::{JobFilter, JobPage};

/// Number of jobs on a page.
const PAGE_SIZE: u32 = 50;

/// Maximum number of queues suggested in the filter. Other names can be typed.
const MAX_QUEUES: usize = 200;

/// Maximum number of earlier pages that the list can go back to.
const MAX_TRAIL: usize = 50;

pub(super) fn resource() -> Resource {
    page_resource("/jobs", list)
}

/// The filter and the position of a list page, as given in its query string.
#[derive(Debug, Clone, Default)]
struct ListQuery {
    state: Option<State>,
    queue: Option<String>,
    kind: String,
    tag: String,
    batch: String,
    id: String,
    before: Option<JobId>,
    /// Cursors of the earlier pages, for the link to the newer page. The first page has no cursor.
    trail: Vec<JobId>,
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

async fn list(request: HttpRequest, handle: Data<Handle>) -> PageResult {
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
    let is_invalid = !problems.is_empty();
    let page = JobsPage {
        layout: if is_invalid { Layout::fixed("Jobs", NavItem::Jobs) } else { layout(&list) },
        problems,
        action_summary: action_summary(&fields),
        tabs: tabs(&list, counts),
        queues: queue_names(&queues),
        kinds: handle.kinds(),
        rows: JobRow::all("job", &found.jobs, handle.now()),
        is_selectable: true,
        back: list.query(),
        newest: list.before.is_some().then(|| list.first().query()),
        newer: list.newer().map(|newer| newer.query()),
        older: found.next.map(|next| list.older(next).query()),
        searched_to: found.next.filter(|_| found.jobs.len() < PAGE_SIZE as usize),
        filter: list,
    };
    if is_invalid { Ok(render_with_status(StatusCode::BAD_REQUEST, &page)) } else { render(&page) }
}

fn layout(list: &ListQuery) -> Layout {
    let kind = Some(list.kind.clone());
    let events = query_string(&[("queue", list.queue.clone()), ("kind", kind)]);
    Layout::live("Jobs", NavItem::Jobs, SLOW_POLL_MS)
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

impl ListQuery {
    /// Parses a query string. Returns the filter for the store and the problems as well.
    fn parse(fields: &Fields) -> (Self, JobFilter, Vec<String>) {
        let mut problems = Vec::new();
        let text = |name| fields.trimmed(name).unwrap_or_default().to_owned();
        let trail = text("trail");
        let list = Self {
            state: fields.read("state", InvalidState, &mut problems),
            queue: fields.trimmed("queue").map(str::to_owned),
            kind: text("kind"),
            tag: text("tag"),
            batch: text("batch"),
            id: text("id"),
            before: fields.read("cursor", "must be a cursor of this list", &mut problems),
            trail: trail.split('.').filter_map(|id| id.parse().ok()).take(MAX_TRAIL).collect(),
        };
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let filter = JobFilter {
            state: list.state,
            queue: fields.read::<QueueName>("queue", InvalidName, &mut problems),
            kind: some(&list.kind),
            tag: some(&list.tag),
            batch: fields.read::<BatchId>("batch", "must be a number", &mut problems),
            before: list.before,
            limit: PAGE_SIZE,
            with_payload: false,
            with_result: false,
        };
        (list, filter, problems)
    }

    /// Returns whether any filter is set.
    fn is_filtered(&self) -> bool {
        let texts = [&self.kind, &self.tag, &self.batch, &self.id];
        self.state.is_some() || self.queue.is_some() || texts.iter().any(|text| !text.is_empty())
    }

    /// Returns the query string of this list page.
    fn query(&self) -> String {
        let trail: Vec<String> = self.trail.iter().map(ToString::to_string).collect();
        query_string(&[
            ("state", self.state.map(|state| state.to_string())),
            ("queue", self.queue.clone()),
            ("kind", Some(self.kind.clone())),
            ("tag", Some(self.tag.clone())),
            ("batch", Some(self.batch.clone())),
            ("cursor", self.before.map(|id| id.to_string())),
            ("trail", Some(trail.join("."))),
        ])
    }

    /// Returns the first page of the same list.
    fn first(&self) -> Self {
        Self { before: None, trail: Vec::new(), ..self.clone() }
    }

    /// Returns the next page, with older jobs.
    fn older(&self, next: JobId) -> Self {
        let mut older = Self { before: Some(next), ..self.clone() };
        older.trail.extend(self.before);
        let excess = older.trail.len().saturating_sub(MAX_TRAIL);
        older.trail.drain(..excess);
        older
    }

    /// Returns the previous page, with newer jobs. Returns `None` if that is the first page, or if its
    /// cursor is no longer in the trail.
    fn newer(&self) -> Option<Self> {
        let mut newer = self.clone();
        newer.before = Some(newer.trail.pop()?);
        Some(newer)
    }
}

/// Returns the path of the list page with the query string `back`, followed by the parameters `more`.
///
/// `back` comes from a form. It is parsed and written again, so that only filters and cursors remain.
pub(super) fn list_path(back: &str, more: &[(&str, Option<String>)]) -> String {
    let fields = Fields::parse(back.trim_start_matches('?')).unwrap_or_default();
    let list = ListQuery::parse(&fields).0.query();
    let more = query_string(more);
    match list.is_empty() {
        true => format!("/jobs{more}"),
        false => format!("/jobs{list}{}", more.replacen('?', "&", 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ListQuery {
        ListQuery::parse(&Fields::parse(text).unwrap()).0
    }

    #[test]
    fn pages_link_to_the_older_and_the_newer_page() {
        let first = parse("state=failed&tag=a+b");
        let second = first.older(JobId(90));
        assert_eq!(second.query(), "?state=failed&tag=a%20b&cursor=90");
        assert!(second.newer().is_none());
        let third = second.older(JobId(40));
        assert_eq!(third.query(), "?state=failed&tag=a%20b&cursor=40&trail=90");
        assert_eq!(third.newer().unwrap().query(), second.query());
        assert_eq!(third.first().query(), first.query());
    }

    #[test]
    fn a_redirect_keeps_only_filters() {
        let evil = "?kind=x%0d%0aSet-Cookie&to=//evil.example&did=cancel";
        let more = [("done", Some("1".into()))];
        assert_eq!(list_path(evil, &more), "/jobs?kind=x%0D%0ASet-Cookie&done=1");
        assert_eq!(list_path("", &more), "/jobs?done=1");
    }

    #[test]
    fn every_invalid_filter_is_named() {
        let fields = Fields::parse("state=lost&queue=Q&batch=x&cursor=y").unwrap();
        let problems = ListQuery::parse(&fields).2;
        let first_words: Vec<_> =
            problems.iter().filter_map(|problem| problem.split(' ').next()).collect();
        assert_eq!(first_words, ["state", "cursor", "queue", "batch"]);
    }
}
