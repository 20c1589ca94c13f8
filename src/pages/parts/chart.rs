//! Charts of the last hour, drawn on the server as SVG.
//!
//! Labels and numbers are HTML text next to the drawing, not part of it, so that the drawing can be
//! scaled to any width without distorting text.

mod axis;
mod path;

use askama::Template;
use askama::filters::HtmlSafe;

pub(crate) use axis::Unit;
use axis::ceiling;
use path::{HEIGHT, area, bars, line};

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
#[template(path = "parts/chart.html")]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn series(shape: Shape, values: &[Option<f64>]) -> Series {
        Series { name: "p50", class: "a", shape, values: values.to_vec(), floor: Vec::new() }
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
