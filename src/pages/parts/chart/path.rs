//! SVG paths of lines, areas and bars, from the heights of the points.

use std::fmt::Write;

/// Height of the drawing in its own units. Its width is the number of points minus one.
pub(super) const HEIGHT: f64 = 100.0;

/// Returns the path of a line through the known points. A point with the same height as both its
/// neighbours is omitted, because it would not change the drawing.
pub(super) fn line(heights: &[Option<f64>]) -> String {
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
pub(super) fn area(heights: &[Option<f64>]) -> String {
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
pub(super) fn bars(heights: &[Option<f64>], floor: &[f64]) -> String {
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
