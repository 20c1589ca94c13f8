//! The table of the queues.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Row, TableState};

use super::{Palette, right, table};
use crate::cli::output::Colour;
use crate::cli::queues::rate;
use crate::cli::show;
use crate::cli::top::view::{Pane, View};
use crate::job::queue::Queue;

/// Draws the queues.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let columns = [
        ("NAME", Constraint::Min(10)),
        ("QUEUED", Constraint::Length(7)),
        ("RUNNING", Constraint::Length(7)),
        ("LATER", Constraint::Length(7)),
        ("FAILED", Constraint::Length(7)),
        ("OLDEST", Constraint::Length(6)),
        ("MAX", Constraint::Length(5)),
        ("RATE", Constraint::Length(9)),
        ("", Constraint::Max(6)),
    ];
    let title = format!("Queues ({})", view.queues().len());
    let rows = view.queues().iter().map(|queue| row(queue, palette)).collect();
    let table = table(title, columns, rows, view.pane == Pane::Queues, palette);
    let mut state = TableState::new().with_selected(view.queue_index());
    frame.render_stateful_widget(table, area, &mut state);
}

fn row(queue: &Queue, palette: &Palette) -> Row<'static> {
    let none = || show::NONE.to_owned();
    let failed = right(queue.jobs.failed);
    let failed =
        if queue.jobs.failed > 0 { failed.style(palette.style(Colour::Red)) } else { failed };
    let oldest = queue.oldest_queued_age.map_or_else(none, |span| show::age(span.duration()));
    let most = queue.settings.max_running.map_or_else(none, |most| most.to_string());
    let paused = if queue.settings.paused { "paused" } else { "" };
    Row::new([
        Line::from(queue.name.to_string()),
        right(queue.jobs.queued),
        right(queue.jobs.running),
        right(queue.jobs.scheduled + queue.jobs.retrying),
        failed,
        right(oldest),
        right(most),
        right(queue.settings.rate.map_or_else(none, rate)),
        Line::styled(paused, palette.style(Colour::Yellow)),
    ])
}
