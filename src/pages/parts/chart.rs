//! Charts of the last hour, drawn on the server as SVG.
//!
//! Labels and numbers are HTML text next to the drawing, not part of it, so that the drawing can be
//! scaled to any width without distorting text.

use std::fmt::Write;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::pages::parts::number::Amount;
use crate::pages::parts::time::DurationText;

/// Height of the drawing in its own units. Its width is the number of points minus one.
const HEIGHT: f64 = 100.0;

/// The unit of a chart's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Jobs,
    Millis,
}

impl Unit {
    fn format(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", Amount(value)),
            Self::Jobs => Amount(value).to_string(),
            Self::Millis => DurationText::millis(value.round() as u64).to_string(),
        }
    }

    fn format_on_axis(self, value: f64) -> String {
        if self == Self::Millis { time_on_axis(value) } else { self.format(value) }
    }
}

/// Maxima for a time axis. The axis also labels half of its maximum, so the halves are round numbers too.
const TIME_AXIS_MAXIMA_MS: [f64; 20] = [
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1_000.0,
    2_000.0,
    5_000.0,
    10_000.0,
    20_000.0,
    30_000.0,
    60_000.0,
    120_000.0,
    300_000.0,
    600_000.0,
    1_200_000.0,
    3_600_000.0,
    7_200_000.0,
    18_000_000.0,
];

/// Formats a time for an axis in a single unit, such as `2 min`.
fn time_on_axis(millis: f64) -> String {
    match millis {
        _ if millis < 1_000.0 => format!("{} ms", Amount(millis)),
        _ if millis < 60_000.0 => format!("{} s", Amount(millis / 1_000.0)),
        _ if millis < 3_600_000.0 => format!("{} min", Amount(millis / 60_000.0)),
        _ => format!("{} h", Amount(millis / 3_600_000.0)),
    }
}

/// The shape in which a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Line,
    /// A line with the area below it filled.
    Area,
    Bars,
}

/// A named list of values, oldest first; `None` where no value is known.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// CSS class that sets the colour: `a`, `b` or `c`.
    pub(crate) class: &'static str,
    pub(crate) shape: Shape,
    pub(crate) values: Vec<Option<f64>>,
    /// Value at which each bar starts, one per point, for bars stacked on another series. Empty if
    /// bars start at zero.
    pub(crate) floor: Vec<f64>,
}

impl Series {
    /// Returns the upper end of each point: its value plus its floor.
    fn tops(&self) -> impl Iterator<Item = Option<f64>> {
        let floor = self.floor.iter().copied().chain(std::iter::repeat(0.0));
        self.values.iter().zip(floor).map(|(value, floor)| value.map(|value| value + floor))
    }
}

/// A series with its SVG paths and labels.
struct DrawnSeries {
    name: &'static str,
    class: &'static str,
    shape: Shape,
    path: String,
    area: Option<String>,
    /// Formatted value of each point, separated by `;`. The script shows them under the pointer.
    values: String,
    latest: String,
}

/// A chart as HTML: a title, a legend and an SVG drawing.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct Chart {
    id: &'static str,
    title: &'static str,
    summary: String,
    width: usize,
    top: String,
    middle: String,
    series: Vec<DrawnSeries>,
}

/// The template escapes every value.
impl HtmlSafe for Chart {}

impl Chart {
    pub(crate) fn new(
        id: &'static str,
        title: &'static str,
        unit: Unit,
        series: &[Series],
    ) -> Self {
        let most = series.iter().flat_map(Series::tops).flatten().fold(0.0, f64::max);
        let top = ceiling(most, unit);
        let width = series.iter().map(|series| series.values.len()).max().unwrap_or(0);
        Self {
            id,
            title,
            summary: series.iter().map(|series| summary(series, unit)).collect(),
            width: width.saturating_sub(1).max(1),
            top: unit.format_on_axis(top),
            middle: unit.format_on_axis(top / 2.0),
            series: series.iter().map(|series| draw(series, unit, top)).collect(),
        }
    }
}

/// Describes a series in words, for users of screen readers.
fn summary(series: &Series, unit: Unit) -> String {
    let known = || series.values.iter().flatten().copied();
    let Some(last) = known().next_back() else {
        return format!("{}: no data in the last hour. ", series.name);
    };
    let most = known().fold(0.0, f64::max);
    format!("{}: latest {}, maximum {}. ", series.name, unit.format(last), unit.format(most))
}

fn draw(series: &Series, unit: Unit, top: f64) -> DrawnSeries {
    let height = |value: f64| HEIGHT - (value / top).clamp(0.0, 1.0) * HEIGHT;
    let heights: Vec<Option<f64>> = series.tops().map(|top| top.map(height)).collect();
    let texts: Vec<String> = series
        .values
        .iter()
        .map(|value| value.map(|value| unit.format(value)).unwrap_or_default())
        .collect();
    let (path, area) = match series.shape {
        Shape::Bars => {
            let floor: Vec<f64> = series.floor.iter().copied().map(height).collect();
            (bars(&heights, &floor), None)
        }
        Shape::Line => (line(&heights), None),
        Shape::Area => (line(&heights), Some(area(&heights))),
    };
    let latest = texts.iter().rev().find(|text| !text.is_empty()).cloned();
    DrawnSeries {
        name: series.name,
        class: series.class,
        shape: series.shape,
        path,
        area,
        values: texts.join(";"),
        latest: latest.unwrap_or_else(|| "–".into()),
    }
}

/// Returns the path of a line through the known points. A point with the same height as both its
/// neighbours is omitted, because it would not change the drawing.
fn line(heights: &[Option<f64>]) -> String {
    let mut path = String::new();
    let at = |x: usize| heights.get(x).copied().flatten();
    for (x, height) in heights.iter().enumerate() {
        let Some(height) = height else { continue };
        let before = x.checked_sub(1).and_then(at);
        let after = at(x + 1);
        let letter = if before.is_none() { 'M' } else { 'L' };
        if before == Some(*height) && after == Some(*height) {
            continue;
        }
        // Writing into a string does not fail.
        let _ = write!(path, "{letter}{x} {}", short(*height));
        if before.is_none() && after.is_none() {
            path.push_str("h.1");
        }
    }
    path
}

/// Returns the path of the area below a line, one closed shape per run of known points.
fn area(heights: &[Option<f64>]) -> String {
    let mut path = String::new();
    let mut x = 0;
    for run in heights.split(Option::is_none) {
        if run.len() > 1 {
            let _ = write!(path, "M{x} {}", short(HEIGHT));
            for (step, height) in run.iter().flatten().enumerate() {
                let level = |at: usize| run.get(at).copied().flatten() == Some(*height);
                let is_level = step > 0 && level(step - 1) && level(step + 1);
                if !is_level {
                    let _ = write!(path, "L{} {}", x + step, short(*height));
                }
            }
            let _ = write!(path, "L{} {}Z", x + run.len() - 1, short(HEIGHT));
        }
        x += run.len() + 1;
    }
    path
}

/// Returns the path of the bars, one for each point above its floor.
fn bars(heights: &[Option<f64>], floor: &[f64]) -> String {
    let mut path = String::new();
    for (x, height) in heights.iter().enumerate() {
        let floor = floor.get(x).copied().unwrap_or(HEIGHT);
        if let Some(height) = height.filter(|height| *height < floor) {
            let _ = write!(path, "M{x} {}V{}", short(floor), short(height));
        }
    }
    path
}

/// Formats a coordinate with one decimal, omitted if it is 0.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Returns the smallest axis maximum that is not below `most`: 1, 2, 4 or 5 times a power of ten, or
/// for times an entry of [`TIME_AXIS_MAXIMA_MS`]. For example 12345 gives 20000.
fn ceiling(most: f64, unit: Unit) -> f64 {
    if unit == Unit::Millis
        && let Some(top) = TIME_AXIS_MAXIMA_MS.into_iter().find(|top| *top >= most)
    {
        return top;
    }
    // The axis labels half of its maximum too, and half a job makes no sense.
    let most = most.max(if unit == Unit::Jobs { 2.0 } else { 1.0 });
    let magnitude = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 10.0];
    let fits = steps.into_iter().map(|step| step * magnitude).find(|top| *top >= most * 0.999_999);
    fits.unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(shape: Shape, values: &[Option<f64>]) -> Series {
        Series { name: "p50", class: "a", shape, values: values.to_vec(), floor: Vec::new() }
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (most, top) in [(0.0, 1.0), (1.0, 1.0), (3.2, 4.0), (7.0, 10.0), (12_345.0, 20_000.0)] {
            assert_eq!(ceiling(most, Unit::PerSecond), top, "{most}");
        }
        assert_eq!(ceiling(0.0, Unit::Jobs), 2.0);
        for (most, axis) in [(3.0, "10 ms"), (61_000.0, "2 min"), (250_000.0, "5 min")] {
            assert_eq!(time_on_axis(ceiling(most, Unit::Millis)), axis);
        }
    }

    #[test]
    fn a_line_is_broken_at_unknown_points_and_omits_level_points() {
        let values = [Some(1.0), Some(1.0), Some(1.0), None, Some(0.5), None, Some(0.0), Some(1.0)];
        let drawn = draw(&series(Shape::Area, &values), Unit::PerSecond, 1.0);
        assert_eq!(drawn.path, "M0 0L2 0M4 50h.1M6 100L7 0");
        assert_eq!(drawn.area.unwrap(), "M0 100L0 0L2 0L2 100ZM6 100L6 100L7 0L7 100Z");
        assert_eq!(drawn.values, "1/s;1/s;1/s;;0.5/s;;0/s;1/s");
        assert_eq!(drawn.latest, "1/s");
    }

    #[test]
    fn bars_start_at_their_floor() {
        let drawn = draw(&series(Shape::Bars, &[Some(0.0), Some(5.0)]), Unit::Jobs, 10.0);
        assert_eq!(drawn.path, "M1 100V50");
        let stacked =
            Series { floor: vec![0.0, 5.0], ..series(Shape::Bars, &[Some(2.0), Some(5.0)]) };
        let drawn = draw(&stacked, Unit::Jobs, 10.0);
        assert_eq!((drawn.path.as_str(), drawn.values.as_str()), ("M0 100V80M1 50V0", "2;5"));
    }

    #[test]
    fn a_chart_is_described_in_words_for_screen_readers() {
        let some = series(Shape::Line, &[Some(2_000.0), Some(30.0), None]);
        let none = series(Shape::Line, &[None]);
        let html = Chart::new("latency", "Queue latency", Unit::Millis, &[some, none]).to_string();
        assert!(html.contains("p50: latest 30 ms, maximum 2.00 s."), "{html}");
        assert!(html.contains("p50: no data in the last hour."), "{html}");
        assert!(!html.contains("style="), "{html}");
    }
}
