//! The two lines at the top: the server, and its rates, counts and latencies.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};

use super::Palette;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::top::snapshot::Snapshot;
use crate::cli::top::view::View;
use crate::job::Timestamp;
use crate::metrics::stats::Latency;

/// Draws the header.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let state = match (&view.snapshot, &view.error) {
        (None, None) => Line::raw("connecting"),
        (Some(snapshot), None) => Line::raw(summary(snapshot, area.width.into())),
        (None, Some(error)) => outage("", error, palette),
        (Some(snapshot), Some(error)) => {
            outage(&format!("last update at {}; ", clock(snapshot.stats.at)), error, palette)
        }
    };
    let name = Line::from(vec![
        Span::styled("longshore", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!("  {}", view.url)),
    ]);
    frame.render_widget(Text::from(vec![name, state]), area);
    if let (Some(snapshot), None) = (&view.snapshot, &view.error) {
        let now = Line::raw(clock(snapshot.stats.at)).right_aligned();
        frame.render_widget(now, Rect { height: area.height.min(1), ..area });
    }
}

/// Returns the line that is shown while no snapshot can be read.
fn outage(since: &str, error: &str, palette: &Palette) -> Line<'static> {
    let text = format!("{since}trying again: {}", show::plain(error));
    Line::styled(text, palette.style(Colour::Red))
}

/// Returns the time of day to the second, such as `12:00:55 UTC`.
fn clock(time: Timestamp) -> String {
    let text = show::time_of_day(time);
    format!("{} UTC", text.split('.').next().unwrap_or_default())
}

/// Returns rates, counts and latencies, as many as fit in `width` columns.
fn summary(snapshot: &Snapshot, width: usize) -> String {
    let rate = |rate: Option<f64>| rate.map_or(show::NONE.into(), show::rate);
    let rates = snapshot.rates();
    let jobs = &snapshot.stats.jobs;
    let parts = [
        format!("submitted {}", rate(rates.map(|rates| rates.submitted))),
        format!("finished {}", rate(rates.map(|rates| rates.finished))),
        format!("{} waiting", jobs.scheduled + jobs.queued + jobs.retrying),
        format!("{} running", jobs.running),
        format!("start {}", latency(snapshot.stats.start)),
        format!("run {}", latency(snapshot.stats.run)),
    ];
    let join = |line: String, part: &String| {
        let gap = if line.is_empty() { "" } else { "  " };
        let longer = format!("{line}{gap}{part}");
        if longer.chars().count() <= width { longer } else { line }
    };
    parts.iter().fold(String::new(), join)
}

/// Formats the median and the 99th percentile of a latency.
fn latency(latency: Latency) -> String {
    let percentile = |millis: Option<u64>| match millis {
        Some(millis) => show::duration(std::time::Duration::from_millis(millis)),
        None => show::NONE.into(),
    };
    format!("p50 {} p99 {}", percentile(latency.p50_ms), percentile(latency.p99_ms))
}
