//! The table of jobs that run or have failed.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;

use super::Palette;
use super::grid::{Column, Grid};
use crate::cli::output::Colour;
use crate::cli::show;
use crate::cli::top::look::List;
use crate::cli::top::view::{Pane, View};
use crate::job::{Job, Timestamp};

/// The letters of a job's bar.
const BAR: usize = 10;
/// More of an error than any screen shows.
const MAX_ERROR_CHARS: usize = 300;

/// Draws the jobs.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let (since, last) = match view.list() {
        List::Running => ("ELAPSED", "PROGRESS"),
        List::Failed => ("AGO", "ERROR"),
    };
    let names = Constraint::Length(if area.width < 100 { 12 } else { 20 });
    let columns = [
        Column::number("ID", 8, 0),
        Column::text("KIND", names, 0),
        Column::text("QUEUE", names, 56),
        Column::number("ATTEMPT", 7, 70),
        Column::number(since, 7, 43),
        Column::text(last, Constraint::Min(10), 0),
    ];
    let now = view.look.as_ref().map(|look| look.stats.at).unwrap_or_default();
    let grid = Grid {
        title: title(view),
        columns,
        rows: view.jobs().iter().map(|job| row(job, view.list(), now, palette)).collect(),
        selected: view.job_index(),
        is_active: view.pane == Pane::Jobs,
    };
    grid.draw(frame, area, palette);
}

/// What the table holds, and how many there are in all.
fn title(view: &View) -> String {
    let counts = view.look.as_ref().map(|look| look.stats.jobs).unwrap_or_default();
    match view.list() {
        List::Running => format!("Running ({})", counts.running),
        List::Failed => format!("Failed ({})", counts.failed),
    }
}

fn row(job: &Job, list: List, now: Timestamp, palette: &Palette) -> [Line<'static>; 6] {
    let (since, last) = match list {
        List::Running => (job.started_at, progress(job, palette)),
        List::Failed => (job.finished_at, error(job, palette)),
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

fn progress(job: &Job, palette: &Palette) -> Line<'static> {
    if job.cancel_requested {
        return Line::styled("asked to stop", palette.style(Colour::Yellow));
    }
    let Some(progress) = &job.progress else { return Line::default() };
    let filled = (progress.percent.clamp(0.0, 100.0) / 100.0 * BAR as f64).round() as usize;
    let bar = "█".repeat(filled) + &"░".repeat(BAR - filled);
    Line::from(format!("{bar} {}", show::progress(progress)))
}

fn error(job: &Job, palette: &Palette) -> Line<'static> {
    let told = job.error.as_ref().map(|error| show::error(error, MAX_ERROR_CHARS));
    Line::styled(told.unwrap_or_default(), palette.style(Colour::Red))
}
