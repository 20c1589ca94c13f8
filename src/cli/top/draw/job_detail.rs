//! The whole error of the selected job, or what it waits for, below the tables.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Wrap};

use super::palette::Palette;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::top::view::View;
use crate::job::Job;

/// Number of lines for the text.
const HEIGHT: u16 = 3;
/// Minimum height of the terminal at which the text is shown. With fewer lines the tables need the
/// space.
const MIN_HEIGHT: u16 = 18;
/// Maximum length of an error, more than the lines can show.
const MAX_CHARS: usize = 1_000;

/// Returns the number of lines that the text needs.
pub(super) fn height(view: &View, screen: Rect) -> u16 {
    if screen.height >= MIN_HEIGHT && text(view).is_some() { HEIGHT } else { 0 }
}

/// Draws the text.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let Some((text, colour)) = text(view) else { return };
    let style = palette.style(colour);
    frame.render_widget(Paragraph::new(text).style(style).wrap(Wrap { trim: true }), area);
}

/// Returns the text about the selected job, if there is one, and its colour.
fn text(view: &View) -> Option<(String, Colour)> {
    let job: &Job = view.selected_job()?;
    let waiting = view.snapshot.as_ref().and_then(|snapshot| snapshot.waiting.as_ref());
    if let Some(waiting) = waiting.filter(|waiting| waiting.id == job.id) {
        return Some((format!("job {}, waiting: {}", job.id, waiting.reason), Colour::Yellow));
    }
    let error = show::error(job.error.as_ref()?, MAX_CHARS);
    Some((format!("job {}, last error: {error}", job.id), Colour::Red))
}
