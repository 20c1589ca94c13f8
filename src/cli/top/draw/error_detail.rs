//! The whole error of the selected job, below the tables.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Wrap};

use super::palette::Palette;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::top::view::View;
use crate::job::Job;

/// Number of lines for the error.
const HEIGHT: u16 = 3;
/// Minimum height of the terminal at which the error is shown. With fewer lines the tables need the
/// space.
const MIN_HEIGHT: u16 = 18;
/// Maximum length of the error, more than the lines can show.
const MAX_CHARS: usize = 1_000;

/// Returns the number of lines that the error needs.
pub(super) fn height(view: &View, screen: Rect) -> u16 {
    if screen.height >= MIN_HEIGHT && text(view).is_some() { HEIGHT } else { 0 }
}

/// Draws the error.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let Some(text) = text(view) else { return };
    let style = palette.style(Colour::Red);
    frame.render_widget(Paragraph::new(text).style(style).wrap(Wrap { trim: true }), area);
}

/// Returns the error of the selected job, if it has one.
fn text(view: &View) -> Option<String> {
    let job: &Job = view.jobs().get(view.job_index()?)?;
    let error = show::error(job.error.as_ref()?, MAX_CHARS);
    Some(format!("job {}, last error: {error}", job.id))
}
