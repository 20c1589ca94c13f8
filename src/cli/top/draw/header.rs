//! The two lines at the top: the server, and its rates, counts and latencies.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};

use super::palette::Palette;
use crate::cli::output::Colour;
use crate::cli::output::show;
use crate::cli::top::snapshot::Snapshot;
use crate::cli::top::view::View;
use crate::job::Timestamp;
use crate::metrics::counters::BucketCounts;
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
    let stats = &snapshot.stats;
    let parts = [
        format!("submitted {}", show::rate(stats.per_second(|counts| counts.submitted))),
        format!("finished {}", show::rate(stats.per_second(BucketCounts::finished))),
        format!("{} waiting", stats.jobs.waiting()),
        format!("{} running", stats.jobs.running),
        format!("start {}", latency(stats.start)),
        format!("run {}", latency(stats.run)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::snapshot::tests::snapshot;

    #[test]
    fn the_rates_cover_the_last_ten_seconds() {
        // Of the complete time bucket of 10 s, with 40 submitted and 21 finished jobs, half counts. The
        // current one of 5 s has 50 and 26.
        let text = summary(&snapshot(), 200);
        assert!(text.starts_with("submitted 7.0/s  finished 3.6/s  "), "{text}");
    }

    #[test]
    fn a_narrow_screen_shows_the_parts_that_fit() {
        assert_eq!(summary(&snapshot(), 20), "submitted 7.0/s");
    }
}
