//! The two lines at the top: which server, and how it does.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};

use super::Palette;
use crate::cli::output::Colour;
use crate::cli::show;
use crate::cli::top::look::Look;
use crate::cli::top::view::View;
use crate::job::Timestamp;
use crate::job::stats::Latency;

/// Draws the header.
pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View, palette: &Palette) {
    let state = match (&view.look, &view.trouble) {
        (None, None) => Line::raw("asking"),
        (Some(look), None) => Line::raw(doing(look, area.width.into())),
        (None, Some(why)) => trouble("", why, palette),
        (Some(look), Some(why)) => {
            trouble(&format!("as it was at {}; ", clock(look.stats.at)), why, palette)
        }
    };
    let name = Line::from(vec![
        Span::styled("longshore", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!("  {}", view.url)),
    ]);
    frame.render_widget(Text::from(vec![name, state]), area);
    if let (Some(look), None) = (&view.look, &view.trouble) {
        let now = Line::raw(clock(look.stats.at)).right_aligned();
        frame.render_widget(now, Rect { height: area.height.min(1), ..area });
    }
}

fn trouble(when: &str, why: &str, palette: &Palette) -> Line<'static> {
    let told = format!("{when}trying again: {}", show::plain(why));
    Line::styled(told, palette.style(Colour::Red))
}

/// The time of day to the second.
fn clock(time: Timestamp) -> String {
    let text = show::time_of_day(time);
    format!("{} UTC", text.split('.').next().unwrap_or_default())
}

/// How the server does, in as many parts as there is room for.
fn doing(look: &Look, width: usize) -> String {
    let rate = |rate: Option<f64>| rate.map_or(show::NONE.into(), show::rate);
    let rates = look.rates();
    let jobs = &look.stats.jobs;
    let parts = [
        format!("in {}", rate(rates.map(|rates| rates.submitted))),
        format!("out {}", rate(rates.map(|rates| rates.ended))),
        format!("{} waiting", jobs.scheduled + jobs.queued + jobs.retrying),
        format!("{} running", jobs.running),
        format!("start {}", latency(look.stats.start)),
        format!("run {}", latency(look.stats.run)),
    ];
    let join = |line: String, part: &String| {
        let gap = if line.is_empty() { "" } else { "   " };
        let longer = format!("{line}{gap}{part}");
        if longer.chars().count() <= width { longer } else { line }
    };
    parts.iter().fold(String::new(), join)
}

fn latency(latency: Latency) -> String {
    let took = |millis: Option<u64>| match millis {
        Some(millis) => show::duration(std::time::Duration::from_millis(millis)),
        None => show::NONE.into(),
    };
    format!("p50 {} p99 {}", took(latency.p50_ms), took(latency.p99_ms))
}
