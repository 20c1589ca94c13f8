//! The load of the lanes, and charts of submitted and finished jobs in the last hour.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Paragraph, RenderDirection, Sparkline};

use super::palette::Palette;
use crate::cli::output::Colour;
use crate::cli::top::snapshot::Snapshot;
use crate::metrics::counters::BucketCounts;
use crate::metrics::stats::LaneLoad;

/// Width of the text beside a bar: the lane before it and the numbers after it.
const TEXT_WIDTH: u16 = 8 + 1 + 12;

/// Draws the lanes and the charts side by side.
pub(super) fn draw(frame: &mut Frame, area: Rect, snapshot: &Snapshot, palette: &Palette) {
    let [lanes, left, right] =
        Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3), Constraint::Fill(3)])
            .areas(area);
    let block = Block::bordered().title("Lanes");
    let width = usize::from(block.inner(lanes).width.saturating_sub(TEXT_WIDTH));
    let lines: Vec<Line> =
        snapshot.stats.lanes.iter().map(|load| lane(load, width, palette)).collect();
    frame.render_widget(Paragraph::new(Text::from(lines)).block(block), lanes);
    chart(frame, left, "Submitted, last hour", snapshot, palette, |counts| counts.submitted);
    chart(frame, right, "Finished, last hour", snapshot, palette, BucketCounts::finished);
}

/// Returns the line of a lane with a bar of `width` characters. A lane with an unknown number of
/// workers has no bar.
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

/// Draws a chart of the last hour.
fn chart(
    frame: &mut Frame,
    area: Rect,
    title: &str,
    snapshot: &Snapshot,
    palette: &Palette,
    count: impl Fn(&BucketCounts) -> u64,
) {
    let block = Block::bordered().title(title.to_owned());
    let mut sums = snapshot.chart(usize::from(block.inner(area).width), count);
    // The latest value is drawn at the right edge, even if there is less than an hour of data.
    sums.reverse();
    let chart = Sparkline::default()
        .data(sums)
        .direction(RenderDirection::RightToLeft)
        .style(palette.style(Colour::Green))
        .block(block);
    frame.render_widget(chart, area);
}
