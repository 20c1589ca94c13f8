//! The vertical axis of a chart: its unit and its maximum.

use crate::pages::parts::number::Amount;
use crate::pages::parts::time::DurationText;

/// The unit of a chart's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Jobs,
    Millis,
}

impl Unit {
    pub(super) fn format(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", Amount(value)),
            Self::Jobs => Amount(value).to_string(),
            Self::Millis => DurationText::millis(value.round() as u64).to_string(),
        }
    }

    pub(super) fn format_on_axis(self, value: f64) -> String {
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

/// Returns the smallest axis maximum that is not below `most`: 1, 2, 4 or 5 times a power of ten, or
/// for times an entry of [`TIME_AXIS_MAXIMA_MS`]. For example 12345 gives 20000.
pub(super) fn ceiling(most: f64, unit: Unit) -> f64 {
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
}
