//! A job as a row of a table, and the small parts that stand in rows.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::job::outcome::cut;
use crate::job::{Job, State, Timestamp};
use crate::pages::dress::query;
use crate::pages::moment::{Moment, Took};

/// How much of a message a row shows, in bytes.
const MAX_NOTE: usize = 140;

/// A state as a word with its colour and shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chip(pub(super) State);

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"state {0}\">{0}</span>", self.0)
    }
}

/// Fixed words.
impl HtmlSafe for Chip {}

/// A share as a bar. What it shows stands beside it as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    percent: f64,
}

impl Meter {
    pub(super) fn new(percent: f64) -> Self {
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

/// Numbers and fixed words.
impl HtmlSafe for Meter {}

/// How far a job is, as a bar and a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgressBar(Meter);

impl ProgressBar {
    pub(super) fn new(percent: f64) -> Self {
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

/// Numbers and fixed words.
impl HtmlSafe for ProgressBar {}

/// A tag with the list of the jobs that have it.
pub(super) struct Tag {
    pub(super) word: String,
    pub(super) query: String,
}

impl Tag {
    pub(super) fn all(job: &Job) -> Vec<Self> {
        let tag = |word: &String| Self {
            word: word.clone(),
            query: query(&[("tag", Some(word.clone()))]),
        };
        job.tags.iter().map(tag).collect()
    }
}

/// A job as a row.
pub(super) struct Row {
    /// Which part of the page it stands in: a job may stand in two.
    pub(super) part: &'static str,
    pub(super) id: i64,
    pub(super) state: Chip,
    pub(super) kind: String,
    pub(super) queue: String,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    pub(super) created: Moment,
    pub(super) took: Option<Took>,
    pub(super) progress: Option<ProgressBar>,
    pub(super) code: Option<String>,
    pub(super) note: Option<String>,
    pub(super) tags: Vec<Tag>,
}

impl Row {
    pub(super) fn all(part: &'static str, jobs: &[Job], now: Timestamp) -> Vec<Self> {
        jobs.iter().map(|job| Self { part, ..Self::new(job, now) }).collect()
    }

    fn new(job: &Job, now: Timestamp) -> Self {
        let progress = job.progress.as_ref().filter(|_| job.state == State::Running);
        let error = job.error.as_ref();
        let note = match (error, progress) {
            (Some(error), _) => Some(error.message.clone()),
            (None, Some(progress)) => progress.message.clone(),
            (None, None) => None,
        };
        Self {
            part: "job",
            id: job.id.0,
            state: Chip(job.state),
            kind: job.kind.clone(),
            queue: job.queue.to_string(),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            created: Moment::new(job.created_at, now),
            took: took(job, now),
            progress: progress.map(|progress| ProgressBar::new(progress.percent)),
            code: error.map(|error| error.code.clone()),
            note: note.map(shorten),
            tags: Tag::all(job),
        }
    }
}

/// How long the latest attempt took, or runs so far.
pub(super) fn took(job: &Job, now: Timestamp) -> Option<Took> {
    let started_at = job.started_at?;
    match (job.state, job.finished_at) {
        (State::Running, _) => Some(Took::new(now.since(started_at))),
        (_, Some(finished_at)) => Some(Took::new(finished_at.since(started_at))),
        _ => None,
    }
}

/// The beginning of a text that may be long.
fn shorten(text: String) -> String {
    if text.len() <= MAX_NOTE {
        return text;
    }
    let mut short = cut(text, MAX_NOTE);
    short.push('…');
    short
}
