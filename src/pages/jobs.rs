//! `/jobs`: the list, with filters, page by page.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::queue::{NotAName, QueueName, StateCounts};
use crate::job::state::NotAState;
use crate::job::{BatchId, JobId, State};
use crate::pages::answer::{Answered, go_to, page, show, with_status};
use crate::pages::dress::{CALM_MS, Dress, Place, SLOW_RELOAD_SECS, query};
use crate::pages::fields::Fields;
use crate::pages::number::Count;
use crate::pages::row::{Chip, Row};
use crate::server::{Error, Handle};
use crate::store::{JobFilter, JobPage};

/// How many jobs a page shows.
pub(super) const PAGE: u32 = 50;

/// How many queues are offered; others can be written.
const MAX_QUEUES: usize = 200;

/// How many pages back the list remembers.
const MAX_TRAIL: usize = 50;

pub(super) fn all() -> Resource {
    page("/jobs", list)
}

/// What is looked for, as it was written.
#[derive(Debug, Clone, Default)]
struct Wanted {
    state: Option<State>,
    queue: Option<String>,
    kind: String,
    tag: String,
    batch: String,
    id: String,
    before: Option<JobId>,
    /// Where the pages began that led here.
    trail: Vec<JobId>,
}

/// A choice of a state, with how many jobs stand in it.
struct Tab {
    state: Option<Chip>,
    query: String,
    /// None where it is not kept: nothing is counted for a page.
    count: Option<Count>,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    dress: Dress,
    filter: Wanted,
    problems: Vec<String>,
    done: Option<String>,
    tabs: Vec<Tab>,
    queues: Vec<String>,
    kinds: Vec<String>,
    rows: Vec<Row>,
    selects: bool,
    back: String,
    newest: Option<String>,
    newer: Option<String>,
    older: Option<String>,
    looked_back_to: Option<JobId>,
}

async fn list(request: HttpRequest, handle: Data<Handle>) -> Answered {
    let fields = Fields::of_query(&request)?;
    let (wanted, filter, mut problems) = Wanted::read(&fields);
    if let (Ok(id), []) = (wanted.id.parse::<JobId>(), problems.as_slice()) {
        return go_to(format!("/jobs/{id}"));
    }
    if !wanted.id.is_empty() {
        problems.push("id is a number".into());
    }
    let queues = handle.counts();
    let counts = counts(&handle, &filter, &queues).await?;
    let found = if problems.is_empty() { handle.jobs(filter).await? } else { JobPage::default() };
    let is_bad = !problems.is_empty();
    let page = JobsPage {
        dress: if is_bad { Dress::still("Jobs", Place::Jobs) } else { dress(&wanted) },
        problems,
        done: done(&fields),
        tabs: tabs(&wanted, counts),
        queues: choices(&queues),
        kinds: handle.kinds(),
        rows: Row::all("job", &found.jobs, handle.now()),
        selects: true,
        back: wanted.query(),
        newest: wanted.before.is_some().then(|| wanted.first().query()),
        newer: wanted.newer().map(|newer| newer.query()),
        older: found.next.map(|next| wanted.older(next).query()),
        looked_back_to: found.next.filter(|_| found.jobs.len() < PAGE as usize),
        filter: wanted,
    };
    if is_bad { Ok(with_status(StatusCode::BAD_REQUEST, &page)) } else { show(&page) }
}

fn dress(wanted: &Wanted) -> Dress {
    let kind = Some(wanted.kind.clone());
    let events = query(&[("queue", wanted.queue.clone()), ("kind", kind)]);
    Dress::live("Jobs", Place::Jobs, CALM_MS)
        .reload(SLOW_RELOAD_SECS)
        .events(format!("/v1/events{events}"))
}

/// The queues that are offered.
fn choices(queues: &[(QueueName, StateCounts)]) -> Vec<String> {
    let mut names: Vec<String> = queues.iter().map(|(name, _)| name.to_string()).collect();
    names.sort_unstable();
    names.truncate(MAX_QUEUES);
    names
}

/// The states to choose from.
fn tabs(wanted: &Wanted, counts: Option<StateCounts>) -> Vec<Tab> {
    let first = wanted.first();
    let tab = |state: Option<State>, count: Option<i64>| Tab {
        state: state.map(Chip),
        query: Wanted { state, ..first.clone() }.query(),
        count: count.map(Count::new),
        is_here: wanted.state == state,
    };
    let of = |state| counts.map(|mut counts| *counts.of(state));
    let all = State::ALL.into_iter().map(of).sum();
    let mut tabs = vec![tab(None, all)];
    tabs.extend(State::ALL.into_iter().map(|state| tab(Some(state), of(state))));
    tabs
}

/// How many jobs stand in each state, from what is kept by queue or by batch; none where neither
/// fits what is looked for.
async fn counts(
    handle: &Handle,
    filter: &JobFilter,
    queues: &[(QueueName, StateCounts)],
) -> Result<Option<StateCounts>, Error> {
    match filter {
        JobFilter { kind: None, tag: None, batch: None, queue, .. } => {
            let is_meant = |name: &QueueName| queue.as_ref().is_none_or(|meant| meant == name);
            let mut sums = StateCounts::default();
            for (_, counts) in queues.iter().filter(|(name, _)| is_meant(name)) {
                let mut counts = *counts;
                for state in State::ALL {
                    *sums.of(state) += *counts.of(state);
                }
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

/// What was done with chosen jobs, where the form led back here.
fn done(fields: &Fields) -> Option<String> {
    let number = |name| fields.get(name).and_then(|text| text.parse::<u32>().ok());
    let (done, refused) = (number("done")?, number("refused")?);
    let (deed, why) = match fields.get("did")? {
        "cancel" => ("called off, or told to stop", "had ended before"),
        "retry" => ("queued once more", "run or wait already"),
        "delete" => ("deleted", "have not ended, or were gone"),
        _ => return None,
    };
    let mut told = format!("{done} {} {deed}.", if done == 1 { "job was" } else { "jobs were" });
    if refused > 0 {
        told.push_str(&format!(" {refused} could not be: they {why}."));
    }
    Some(told)
}

impl Wanted {
    /// Reads what is looked for; with what is wrong about it.
    fn read(fields: &Fields) -> (Self, JobFilter, Vec<String>) {
        let mut problems = Vec::new();
        let text = |name| fields.word(name).unwrap_or_default().to_owned();
        let trail = text("trail");
        let wanted = Self {
            state: fields.read("state", format!("is {NotAState}"), &mut problems),
            queue: fields.word("queue").map(str::to_owned),
            kind: text("kind"),
            tag: text("tag"),
            batch: text("batch"),
            id: text("id"),
            before: fields.read("cursor", "is that of another page", &mut problems),
            trail: trail.split('.').filter_map(|id| id.parse().ok()).take(MAX_TRAIL).collect(),
        };
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let filter = JobFilter {
            state: wanted.state,
            queue: fields.read::<QueueName>("queue", format!("is {NotAName}"), &mut problems),
            kind: some(&wanted.kind),
            tag: some(&wanted.tag),
            batch: fields.read::<BatchId>("batch", "is a number", &mut problems),
            before: wanted.before,
            limit: PAGE,
            with_payload: false,
            with_result: false,
        };
        (wanted, filter, problems)
    }

    /// Whether anything narrows the list.
    fn is_set(&self) -> bool {
        let texts = [&self.kind, &self.tag, &self.batch, &self.id];
        self.state.is_some() || self.queue.is_some() || texts.iter().any(|text| !text.is_empty())
    }

    /// The address that looks for this.
    fn query(&self) -> String {
        let trail: Vec<String> = self.trail.iter().map(ToString::to_string).collect();
        query(&[
            ("state", self.state.map(|state| state.to_string())),
            ("queue", self.queue.clone()),
            ("kind", Some(self.kind.clone())),
            ("tag", Some(self.tag.clone())),
            ("batch", Some(self.batch.clone())),
            ("cursor", self.before.map(|id| id.to_string())),
            ("trail", Some(trail.join("."))),
        ])
    }

    /// The first page of the same.
    fn first(&self) -> Self {
        Self { before: None, trail: Vec::new(), ..self.clone() }
    }

    /// The page behind this one.
    fn older(&self, next: JobId) -> Self {
        let mut older = Self { before: Some(next), ..self.clone() };
        older.trail.extend(self.before);
        let surplus = older.trail.len().saturating_sub(MAX_TRAIL);
        older.trail.drain(..surplus);
        older
    }

    /// The page before this one, where it is remembered and not the first.
    fn newer(&self) -> Option<Self> {
        let mut newer = self.clone();
        newer.before = Some(newer.trail.pop()?);
        Some(newer)
    }
}

/// A list of jobs with this query, read anew so that nothing else comes along.
pub(super) fn address(back: &str, more: &[(&str, Option<String>)]) -> String {
    let fields = Fields::parse(back.trim_start_matches('?')).unwrap_or_default();
    let wanted = Wanted::read(&fields).0.query();
    let more = query(more);
    match wanted.is_empty() {
        true => format!("/jobs{more}"),
        false => format!("/jobs{wanted}{}", more.replacen('?', "&", 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Wanted {
        Wanted::read(&Fields::parse(text).unwrap()).0
    }

    #[test]
    fn pages_lead_on_and_back() {
        let first = wanted("state=failed&tag=a+b");
        let second = first.older(JobId(90));
        assert_eq!(second.query(), "?state=failed&tag=a%20b&cursor=90");
        assert!(second.newer().is_none());
        let third = second.older(JobId(40));
        assert_eq!(third.query(), "?state=failed&tag=a%20b&cursor=40&trail=90");
        assert_eq!(third.newer().unwrap().query(), second.query());
        assert_eq!(third.first().query(), first.query());
    }

    #[test]
    fn a_way_back_holds_nothing_but_a_filter() {
        let evil = "?kind=x%0d%0aSet-Cookie&to=//evil.example&did=cancel";
        let more = [("done", Some("1".into()))];
        assert_eq!(address(evil, &more), "/jobs?kind=x%0D%0ASet-Cookie&done=1");
        assert_eq!(address("", &more), "/jobs?done=1");
    }

    #[test]
    fn every_filter_that_cannot_be_read_is_named() {
        let fields = Fields::parse("state=lost&queue=Q&batch=x&cursor=y").unwrap();
        let problems = Wanted::read(&fields).2;
        let first_words: Vec<_> =
            problems.iter().filter_map(|problem| problem.split(' ').next()).collect();
        assert_eq!(first_words, ["state", "cursor", "queue", "batch"]);
    }
}
