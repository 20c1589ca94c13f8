//! The line at the bottom (a confirmation prompt, a notice, or the keys), and the help.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::palette::Palette;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::top::snapshot::JobList;
use crate::cli::top::view::View;

/// The text of the help.
const HELP: [&str; 11] = [
    "Up, Down     select (also k, j, PageUp, PageDown, Home, End)",
    "Tab          switch between queues and jobs",
    "f            switch between running and failed jobs",
    "w            switch between running and queued jobs",
    "p            pause the queue or resume it",
    "c            cancel the running or queued job, after a confirmation",
    "r            run the failed job again",
    "q, Esc       quit (also Ctrl-C)",
    "",
    "SCHEDULED counts scheduled and retrying jobs.",
    "Press any key to close this help.",
];

/// Draws the footer.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let prompt_style = palette.style(Colour::Yellow).add_modifier(Modifier::BOLD);
    let line = match (&view.cancel_prompt, &view.notice) {
        (Some(id), _) => Line::styled(format!("Cancel job {id}? y/n"), prompt_style),
        (None, Some(notice)) if notice.is_error => {
            Line::styled(show::plain(&notice.text), palette.style(Colour::Red))
        }
        (None, Some(notice)) => Line::raw(show::plain(&notice.text)),
        (None, None) => Line::styled(keys(view.list()), palette.style(Colour::Dim)),
    };
    frame.render_widget(line, area);
}

/// Returns the summary of the keys.
fn keys(list: JobList) -> String {
    let (lists, action) = match list {
        JobList::Running => ("f failed  w queued", "c cancel"),
        JobList::Failed => ("f running", "r retry"),
        JobList::Queued => ("w running", "c cancel"),
    };
    format!("↑↓ select  Tab queues/jobs  {lists}  p pause/resume  {action}  ? help  q quit")
}

/// Draws the help over the rest of the screen.
pub(super) fn draw_help(frame: &mut Frame) {
    let width = HELP.iter().map(|line| line.len()).max().unwrap_or(0) + 4;
    let width = Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX));
    let height = Constraint::Length(u16::try_from(HELP.len() + 2).unwrap_or(u16::MAX));
    let area = frame.area().centered(width, height);
    let title = Line::styled(" Keys ", Style::new().add_modifier(Modifier::BOLD));
    let block = Block::bordered().title(title).padding(ratatui::widgets::Padding::horizontal(1));
    let help = Paragraph::new(HELP.map(Line::raw).into_iter().collect::<Text>()).block(block);
    frame.render_widget(Clear, area);
    frame.render_widget(help, area);
}
