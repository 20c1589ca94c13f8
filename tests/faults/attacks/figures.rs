//! What the normal client met: times of its calls, refusals, errors.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault_row::FaultRow;

/// Maximum number of errors that are shown.
const MAX_ERRORS: usize = 20;

/// Call of the normal client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Submit,
    Wait,
    Read,
    List,
    Healthz,
}

impl Call {
    pub(super) const ALL: [Self; 5] =
        [Self::Submit, Self::Wait, Self::Read, Self::List, Self::Healthz];

    fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Wait => "wait",
            Self::Read => "read",
            Self::List => "list",
            Self::Healthz => "healthz",
        }
    }
}

/// Figures of one or more connections of the normal client.
#[derive(Default)]
pub(super) struct Figures {
    times: BTreeMap<Call, Vec<Duration>>,
    /// Number of answers 503 with `Retry-After`.
    pub(super) refusals: u64,
    /// Number of other 5xx answers, connections that failed, and wrong answers.
    pub(super) error_count: u64,
    /// The first of these errors.
    pub(super) errors: Vec<String>,
    /// Payloads of the jobs that were acknowledged, by id.
    pub(super) acknowledged: BTreeMap<i64, String>,
}

impl Figures {
    pub(super) fn time(&mut self, call: Call, time: Duration) {
        self.times.entry(call).or_default().push(time);
    }

    pub(super) fn error(&mut self, error: String) {
        self.error_count += 1;
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }

    /// Adds the figures of another connection.
    pub(super) fn add(&mut self, other: Self) {
        for (call, times) in other.times {
            self.times.entry(call).or_default().extend(times);
        }
        self.refusals += other.refusals;
        self.error_count += other.error_count;
        self.errors.extend(other.errors);
        self.acknowledged.extend(other.acknowledged);
    }

    /// Returns the time within which this percentage of the calls were answered.
    pub(super) fn percentile(&self, call: Call, percent: usize) -> Duration {
        let mut times = self.times.get(&call).cloned().unwrap_or_default();
        assert!(!times.is_empty(), "the normal client made no call of {}", call.name());
        times.sort_unstable();
        times[(times.len() * percent).div_ceil(100).max(1) - 1]
    }

    /// Adds the figures to a row.
    pub(super) fn report_to(&self, row: &mut FaultRow) {
        for call in Call::ALL {
            let [p50, p99, max] = [50, 99, 100].map(|percent| {
                format!("{:.1}", self.percentile(call, percent).as_secs_f64() * 1_000.0)
            });
            let count = self.times[&call].len();
            row.count(call.name(), format!("{count} calls p50 {p50} p99 {p99} max {max} ms"));
        }
        row.count("acknowledged", self.acknowledged.len());
        row.count("refusals", self.refusals);
        row.count("errors", self.error_count);
    }
}

#[test]
fn percentiles_are_those_of_the_sorted_times() {
    let mut figures = Figures::default();
    for time in (1..=200).rev() {
        figures.time(Call::Read, Duration::from_millis(time));
    }
    let percentile = |percent| figures.percentile(Call::Read, percent).as_millis();
    assert_eq!([50, 99, 100].map(percentile), [100, 198, 200]);
}
