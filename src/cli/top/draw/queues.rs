//! The table of queues.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;

use super::grid::{Column, Grid};
use super::palette::Palette;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::queues::rate;
use crate::cli::top::view::{Pane, View};
use crate::job::queue::Queue;

/// Draws the table of queues.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let columns = [
        Column::text("NAME", Constraint::Min(10), 0),
        Column::number("QUEUED", 7, 0),
        Column::number("RUNNING", 7, 0),
        Column::number("SCHEDULED", 9, 64),
        Column::number("FAILED", 7, 47),
        Column::number("OLDEST", 6, 54),
        Column::number("MAX", 5, 70),
        Column::number("RATE", 9, 80),
        Column::text("", Constraint::Length(6), 39),
    ];
    let grid = Grid {
        title: format!("Queues ({})", view.queues().len()),
        columns,
        rows: view.queues().iter().map(|queue| row(queue, palette)).collect(),
        selected: view.queue_index(),
        is_active: view.pane == Pane::Queues,
    };
    grid.draw(frame, area, palette);
}

/// Returns the cells of a queue.
fn row(queue: &Queue, palette: &Palette) -> [Line<'static>; 9] {
    let none = || show::NONE.to_owned();
    let failed = Line::from(queue.jobs.failed.to_string());
    let failed =
        if queue.jobs.failed > 0 { failed.style(palette.style(Colour::Red)) } else { failed };
    let scheduled = queue.jobs.scheduled + queue.jobs.retrying;
    let oldest = queue.oldest_queued_age.map_or_else(none, |span| show::age(span.duration()));
    let max_running = queue.settings.max_running.map_or_else(none, |max| max.to_string());
    let paused = if queue.settings.paused { "paused" } else { "" };
    [
        Line::from(queue.name.to_string()),
        Line::from(queue.jobs.queued.to_string()),
        Line::from(queue.jobs.running.to_string()),
        Line::from(scheduled.to_string()),
        failed,
        Line::from(oldest),
        Line::from(max_running),
        Line::from(queue.settings.rate.map_or_else(none, rate)),
        Line::styled(paused, palette.style(Colour::Yellow)),
    ]
}
