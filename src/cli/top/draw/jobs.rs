//! The table of running, failed or queued jobs.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;

use super::grid::{Column, Grid};
use super::palette::Palette;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::top::snapshot::JobList;
use crate::cli::top::view::{Pane, View};
use crate::job::{Job, Timestamp};

/// Width of the progress bar of a job, in characters.
const BAR_WIDTH: usize = 10;
/// Maximum length of an error, more than a screen shows.
const MAX_ERROR_CHARS: usize = 300;

/// Draws the table of jobs.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let (age, last) = match view.list() {
        JobList::Running => ("ELAPSED", "PROGRESS"),
        JobList::Failed => ("AGO", "ERROR"),
        JobList::Queued => ("WAITED", "LAST ERROR"),
    };
    let names = Constraint::Length(if area.width < 100 { 12 } else { 20 });
    let columns = [
        Column::number("ID", 8, 0),
        Column::text("KIND", names, 0),
        Column::text("QUEUE", names, 56),
        Column::number("ATTEMPT", 7, 70),
        Column::number(age, 7, 43),
        Column::text(last, Constraint::Min(10), 0),
    ];
    let now = view.snapshot.as_ref().map(|snapshot| snapshot.stats.at).unwrap_or_default();
    let grid = Grid {
        title: title(view),
        columns,
        rows: view.jobs().iter().map(|job| row(job, view.list(), now, palette)).collect(),
        selected: view.job_index(),
        is_active: view.pane == Pane::Jobs,
    };
    grid.draw(frame, area, palette);
}

/// Returns the title with the total number of jobs in the state.
fn title(view: &View) -> String {
    let counts = view.snapshot.as_ref().map(|snapshot| snapshot.stats.jobs).unwrap_or_default();
    match view.list() {
        JobList::Running => format!("Running ({})", counts.running),
        JobList::Failed => format!("Failed ({})", counts.failed),
        JobList::Queued => format!("Queued ({})", counts.queued),
    }
}

/// Returns the cells of a job.
fn row(job: &Job, list: JobList, now: Timestamp, palette: &Palette) -> [Line<'static>; 6] {
    let (since, last) = match list {
        JobList::Running => (job.started_at, progress(job, palette)),
        JobList::Failed => (job.finished_at, error(job, palette)),
        JobList::Queued => (Some(job.run_at), error(job, palette)),
    };
    let since = since.map_or(show::NONE.into(), |since| show::age(now.since(since)));
    [
        Line::from(job.id.to_string()),
        Line::from(job.kind.clone()),
        Line::from(job.queue.to_string()),
        Line::from(format!("{}/{}", job.attempt, job.max_attempts)),
        Line::from(since),
        last,
    ]
}

/// Returns the progress bar with its percentage and message.
fn progress(job: &Job, palette: &Palette) -> Line<'static> {
    if job.cancel_requested {
        return Line::styled("cancel requested", palette.style(Colour::Yellow));
    }
    let Some(progress) = &job.progress else { return Line::default() };
    let filled = (progress.percent.clamp(0.0, 100.0) / 100.0 * BAR_WIDTH as f64).round() as usize;
    let bar = "█".repeat(filled) + &"░".repeat(BAR_WIDTH - filled);
    Line::from(format!("{bar} {}", show::progress(progress)))
}

/// Returns the error of a job.
fn error(job: &Job, palette: &Palette) -> Line<'static> {
    let text = job.error.as_ref().map(|error| show::error(error, MAX_ERROR_CHARS));
    Line::styled(text.unwrap_or_default(), palette.style(Colour::Red))
}
