//! How busy the lanes are, and what came and went in the last hour.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Paragraph, RenderDirection, Sparkline};

use super::Palette;
use crate::cli::output::Colour;
use crate::cli::top::look::{Look, ended};
use crate::job::stats::{LaneLoad, Point};

/// What stands beside a bar: the lane before it, the numbers behind it.
const BESIDE_BAR: u16 = 8 + 1 + 12;

/// Draws the lanes and the charts side by side.
pub(super) fn draw(frame: &mut Frame, area: Rect, look: &Look, palette: &Palette) {
    let [lanes, submitted, done] =
        Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3), Constraint::Fill(3)])
            .areas(area);
    let block = Block::bordered().title("Lanes");
    let width = usize::from(block.inner(lanes).width.saturating_sub(BESIDE_BAR));
    let lines: Vec<Line> = look.stats.lanes.iter().map(|load| lane(load, width, palette)).collect();
    frame.render_widget(Paragraph::new(Text::from(lines)).block(block), lanes);
    chart(frame, submitted, "In, last hour", look, palette, |point| point.submitted);
    chart(frame, done, "Out, last hour", look, palette, ended);
}

/// A lane with a bar of `width` letters; without one where nobody knows how many workers there are.
fn lane(load: &LaneLoad, width: usize, palette: &Palette) -> Line<'static> {
    let name = Span::raw(format!("{:<8} ", load.lane));
    let Some(workers) = load.workers else {
        return Line::from(vec![name, Span::raw(format!("{} running", load.busy))]);
    };
    let share = f64::from(load.busy) / f64::from(workers.max(1));
    let filled = (share.min(1.0) * width as f64).round() as usize;
    let colour = if load.busy >= workers { Colour::Yellow } else { Colour::Green };
    Line::from(vec![
        name,
        Span::styled("█".repeat(filled), palette.style(colour)),
        Span::styled("░".repeat(width - filled), palette.style(Colour::Dim)),
        Span::raw(format!("  {}/{workers}", load.busy)),
    ])
}

fn chart(
    frame: &mut Frame,
    area: Rect,
    title: &str,
    look: &Look,
    palette: &Palette,
    count: impl Fn(&Point) -> u64,
) {
    let block = Block::bordered().title(title.to_owned());
    let mut sums = look.chart(usize::from(block.inner(area).width), count);
    // The latest stands at the right, however short the past is.
    sums.reverse();
    let chart = Sparkline::default()
        .data(sums)
        .direction(RenderDirection::RightToLeft)
        .style(palette.style(Colour::Green))
        .block(block);
    frame.render_widget(chart, area);
}
