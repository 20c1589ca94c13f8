//! A job as a row of a table, and the small elements that rows and pages use.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::job::outcome::truncate;
use crate::job::{Job, State, Timestamp};
use crate::pages::parts::query::query_string;
use crate::pages::parts::time::{DurationText, RelativeTime};

/// Maximum length in bytes of a message in a row.
const MAX_MESSAGE_BYTES: usize = 140;

/// A state as a word with a colour and a symbol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateBadge(pub(crate) State);

impl fmt::Display for StateBadge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"state {0}\">{0}</span>", self.0)
    }
}

/// The HTML consists of fixed words.
impl HtmlSafe for StateBadge {}

/// A percentage as a bar. Screen readers skip it, because the same value is shown as text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    percent: f64,
}

impl Meter {
    pub(crate) fn new(percent: f64) -> Self {
        Self { percent: if percent.is_finite() { percent.clamp(0.0, 100.0) } else { 0.0 } }
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.percent;
        write!(
            f,
            "<svg class=\"meter\" aria-hidden=\"true\">\
             <rect width=\"{width:.1}%\" height=\"100%\"/></svg>"
        )
    }
}

/// The HTML consists of numbers and fixed words.
impl HtmlSafe for Meter {}

/// The progress of a job as a bar and a percentage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProgressBar(Meter);

impl ProgressBar {
    pub(crate) fn new(percent: f64) -> Self {
        Self(Meter::new(percent))
    }
}

impl fmt::Display for ProgressBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(meter) = self;
        let percent = meter.percent;
        write!(
            f,
            "<span class=\"share\" role=\"progressbar\" aria-label=\"Progress\" \
             aria-valuemin=\"0\" aria-valuemax=\"100\" aria-valuenow=\"{percent:.0}\">\
             {meter}</span> <span class=\"num\">{percent:.0} %</span>"
        )
    }
}

/// The HTML consists of numbers and fixed words.
impl HtmlSafe for ProgressBar {}

/// A tag with a link to the jobs that have it.
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) query: String,
}

impl Tag {
    pub(crate) fn all(job: &Job) -> Vec<Self> {
        let tag = |name: &String| Self {
            name: name.clone(),
            query: query_string(&[("tag", Some(name.clone()))]),
        };
        job.tags.iter().map(tag).collect()
    }
}

/// A job as a row of a table.
pub(crate) struct JobRow {
    /// Prefix of the HTML id of the row: a page may show the same job in two tables.
    pub(crate) id_prefix: &'static str,
    pub(crate) id: i64,
    pub(crate) state: StateBadge,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    pub(crate) created: RelativeTime,
    pub(crate) run_time: Option<DurationText>,
    pub(crate) progress: Option<ProgressBar>,
    pub(crate) error_code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) tags: Vec<Tag>,
    /// Start of its metadata, if the list has read it.
    pub(crate) metadata: Option<String>,
}

impl JobRow {
    pub(crate) fn all(id_prefix: &'static str, jobs: &[Job], now: Timestamp) -> Vec<Self> {
        jobs.iter().map(|job| Self { id_prefix, ..Self::new(job, now) }).collect()
    }

    fn new(job: &Job, now: Timestamp) -> Self {
        let progress = job.progress.as_ref().filter(|_| job.state == State::Running);
        let error = job.error.as_ref();
        let message = match (error, progress) {
            (Some(error), _) => Some(error.message.clone()),
            (None, Some(progress)) => progress.message.clone(),
            (None, None) => None,
        };
        Self {
            id_prefix: "job",
            id: job.id.0,
            state: StateBadge(job.state),
            kind: job.kind.clone(),
            queue: job.queue.to_string(),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            created: RelativeTime::new(job.created_at, now),
            run_time: run_time(job, now),
            progress: progress.map(|progress| ProgressBar::new(progress.percent)),
            error_code: error.map(|error| error.code.clone()),
            message: message.map(shorten),
            tags: Tag::all(job),
            metadata: job.metadata.as_ref().map(|json| shorten(json.as_str().to_owned())),
        }
    }
}

/// Returns how long the latest attempt ran, or has been running.
fn run_time(job: &Job, now: Timestamp) -> Option<DurationText> {
    let started_at = job.started_at?;
    match (job.state, job.finished_at) {
        (State::Running, _) => Some(DurationText::new(now.since(started_at))),
        (_, Some(finished_at)) => Some(DurationText::new(finished_at.since(started_at))),
        _ => None,
    }
}

/// Truncates a text to [`MAX_MESSAGE_BYTES`].
fn shorten(text: String) -> String {
    if text.len() <= MAX_MESSAGE_BYTES {
        return text;
    }
    let mut short = truncate(text, MAX_MESSAGE_BYTES);
    short.push('…');
    short
}
