//! The filter and the position of a list page, in its query string.

use crate::job::queue::{InvalidName, QueueName};
use crate::job::state::InvalidState;
use crate::job::{BatchId, JobId, State};
use crate::pages::forms::fields::Fields;
use crate::pages::parts::query::query_string;
use crate::store::JobFilter;

/// Number of jobs on a page.
pub(super) const PAGE_SIZE: u32 = 50;

/// Maximum number of earlier pages that the list can go back to.
const MAX_TRAIL: usize = 50;

/// The filter and the position of a list page, as given in its query string.
#[derive(Debug, Clone, Default)]
pub(super) struct ListQuery {
    pub(super) state: Option<State>,
    pub(super) queue: Option<String>,
    pub(super) kind: String,
    pub(super) tag: String,
    pub(super) batch: String,
    pub(super) id: String,
    pub(super) before: Option<JobId>,
    /// Cursors of the earlier pages, for the link to the newer page. The first page has no cursor.
    pub(super) trail: Vec<JobId>,
}

impl ListQuery {
    /// Parses a query string. Returns the filter for the store and the problems as well.
    pub(super) fn parse(fields: &Fields) -> (Self, JobFilter, Vec<String>) {
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
            with_metadata: false,
        };
        (list, filter, problems)
    }

    /// Returns whether any filter is set.
    pub(super) fn is_filtered(&self) -> bool {
        let texts = [&self.kind, &self.tag, &self.batch, &self.id];
        self.state.is_some() || self.queue.is_some() || texts.iter().any(|text| !text.is_empty())
    }

    /// Returns the query string of this list page.
    pub(super) fn query(&self) -> String {
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
    pub(super) fn first(&self) -> Self {
        Self { before: None, trail: Vec::new(), ..self.clone() }
    }

    /// Returns the next page, with older jobs.
    pub(super) fn older(&self, next: JobId) -> Self {
        let mut older = Self { before: Some(next), ..self.clone() };
        older.trail.extend(self.before);
        let excess = older.trail.len().saturating_sub(MAX_TRAIL);
        older.trail.drain(..excess);
        older
    }

    /// Returns the previous page, with newer jobs. Returns `None` if that is the first page, or if its
    /// cursor is no longer in the trail.
    pub(super) fn newer(&self) -> Option<Self> {
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
