//! Limits repeated log lines: the first one is logged, then the number of the others every 10 s.
//!
//! Example: a full disk fails 2,000 writes a second. The log has the first error at once, and after 10 s
//! one line with `repeated=20000` and the text of the error.
//!
//! Two lines are the same if they come from the same place in the code and have the same fields. Lines of
//! one place with different fields, such as the numbers of jobs, are limited to [`MAX_LINES_OF_A_PLACE`].
//! Lines of the levels `debug` and `trace` are not limited, and neither are lines with a field `state`, which
//! report a change of the server's state: without one of them the log would end with an old state. The code that
//! logs them bounds their number.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

/// Interval after which the number of repeated lines is logged.
const INTERVAL: Duration = Duration::from_secs(10);

/// Maximum number of lines of one place in the code in an interval, of the levels `warn` and `error`, and of
/// the level `info`, whose frequent lines, such as those of failed jobs, are bounded where they are logged.
const MAX_LINES_OF_A_PLACE: u64 = 200;
const MAX_INFO_LINES_OF_A_PLACE: u64 = 10_000;

/// Maximum length of the text of a line in a summary, in bytes.
const MAX_TEXT_BYTES: usize = 200;

/// Lines of the current interval.
#[derive(Default)]
pub(super) struct Repeats(Mutex<Interval>);

#[derive(Default)]
struct Interval {
    /// Start of the interval: the first line after the last one was over.
    started: Option<Instant>,
    /// Lines by the hash of their place and their fields.
    lines: HashMap<u64, Repeated>,
    /// All lines of a place, by its hash.
    places: HashMap<u64, Repeated>,
    /// Number of lines that were left out since the last summaries.
    left_out: u64,
    summaries: Vec<Summary>,
}

/// A line, or all lines of a place, in an interval.
#[derive(Default)]
struct Repeated {
    logged: u64,
    left_out: u64,
    /// Level and text of the first line that was left out.
    example: Option<(Level, String)>,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is logged.
    Log,
    /// It is counted. `is_first` is whether it is the first one since the last summaries.
    LeaveOut { is_first: bool },
}

/// Summary of the lines that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    level: Level,
    left_out: u64,
    text: String,
}

impl Summary {
    /// Logs the summary, at the level of the lines.
    pub(super) fn log(&self) {
        let Self { level, left_out: repeated, text } = self;
        let seconds = INTERVAL.as_secs();
        if *level == Level::ERROR {
            tracing::error!(repeated, seconds, line = text, "a log line was repeated");
        } else if *level == Level::WARN {
            tracing::warn!(repeated, seconds, line = text, "a log line was repeated");
        } else {
            tracing::info!(repeated, seconds, line = text, "a log line was repeated");
        }
    }
}

impl Repeats {
    /// Decides about a line at the time `now`.
    pub(super) fn decide(&self, event: &Event<'_>, now: Instant) -> Decision {
        // The summaries of this module are limited by themselves.
        let metadata = event.metadata();
        let is_change_of_state = metadata.fields().field("state").is_some();
        let is_summary = metadata.target() == module_path!();
        if *metadata.level() > Level::INFO || is_summary || is_change_of_state {
            return Decision::Log;
        }
        let mut hash = FieldHash(DefaultHasher::new());
        place(metadata).hash(&mut hash.0);
        let place = hash.0.finish();
        event.record(&mut hash);
        let level = *metadata.level();
        self.lock().decide((place, hash.0.finish()), (level, || text(event)), now)
    }

    /// Returns whether lines were left out that no summary has counted yet.
    pub(super) fn has_left_out(&self) -> bool {
        let interval = self.lock();
        interval.left_out > 0 || !interval.summaries.is_empty()
    }

    /// Returns the summaries of the intervals that are over.
    pub(super) fn take_summaries(&self, now: Instant) -> Vec<Summary> {
        let mut interval = self.lock();
        interval.roll(now);
        mem::take(&mut interval.summaries)
    }

    fn lock(&self) -> MutexGuard<'_, Interval> {
        // Every intermediate state of the counters is valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interval {
    fn decide(
        &mut self,
        (place, line): (u64, u64),
        (level, text): (Level, impl FnOnce() -> String),
        now: Instant,
    ) -> Decision {
        self.roll(now);
        self.started.get_or_insert(now);
        let place = self.places.entry(place).or_default();
        let is_info = level == Level::INFO;
        let max = if is_info { MAX_INFO_LINES_OF_A_PLACE } else { MAX_LINES_OF_A_PLACE };
        let counted = if place.logged >= max {
            place
        } else {
            let line = self.lines.entry(line).or_default();
            if line.logged == 0 {
                (line.logged, place.logged) = (1, place.logged + 1);
                return Decision::Log;
            }
            line
        };
        counted.left_out += 1;
        counted.example.get_or_insert_with(|| (level, text()));
        self.left_out += 1;
        Decision::LeaveOut { is_first: self.left_out == 1 }
    }

    /// Ends the interval if it is over. A line that was repeated stays known, so that the next interval
    /// logs only its summary.
    fn roll(&mut self, now: Instant) {
        if self.started.is_none_or(|started| now.duration_since(started) < INTERVAL) {
            return;
        }
        self.left_out = 0;
        for place in self.places.values_mut() {
            place.logged = 0;
        }
        for repeated in [&mut self.lines, &mut self.places] {
            repeated.retain(|_, repeated| {
                let left_out = mem::take(&mut repeated.left_out);
                let Some((level, text)) = repeated.example.take() else { return false };
                self.summaries.push(Summary { level, left_out, text });
                true
            });
        }
        // Lines that stay known are forgotten if the next interval has none of them.
        self.started = (!self.lines.is_empty() || !self.places.is_empty()).then_some(now);
    }
}

/// Returns what identifies a place in the code.
fn place(metadata: &'static Metadata<'static>) -> impl Hash {
    (metadata.target(), metadata.file(), metadata.line())
}

/// Returns the message and the fields of an event, at most [`MAX_TEXT_BYTES`].
fn text(event: &Event<'_>) -> String {
    let mut text = Text(String::new());
    event.record(&mut text);
    let end = text.0.floor_char_boundary(MAX_TEXT_BYTES);
    text.0.truncate(end);
    text.0
}

struct FieldHash(DefaultHasher);

impl Write for FieldHash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Visit for FieldHash {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        field.name().hash(&mut self.0);
        let _ = write!(self, "{value:?}");
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        // A write to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::Subscriber;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::*;

    /// Decides about each line, all at the same time.
    #[derive(Clone, Default)]
    struct Decisions(Arc<(Repeats, Mutex<Vec<Decision>>)>);

    impl<S: Subscriber> Layer<S> for Decisions {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let (repeats, decisions) = &*self.0;
            decisions.lock().unwrap().push(repeats.decide(event, Instant::now()));
        }
    }

    #[test]
    fn a_change_of_state_is_logged_each_time() {
        let decisions = Decisions::default();
        let log = tracing_subscriber::registry().with(decisions.clone());
        tracing::subscriber::with_default(log, || {
            for _ in 0..300 {
                tracing::error!(state = "unwritable", "nothing can be written");
                tracing::info!(state = "writable", "writing works again");
            }
            for _ in 0..2 {
                tracing::error!("another line");
            }
        });
        let (_, decided) = &*decisions.0;
        let decided = decided.lock().unwrap();
        let left_out = Decision::LeaveOut { is_first: true };
        assert_eq!(decided.iter().position(|decision| *decision == left_out), Some(601));
        assert_eq!(decided.len(), 602);
    }

    fn example() -> (Level, fn() -> String) {
        (Level::ERROR, || "the disk is full".into())
    }

    #[test]
    fn of_many_equal_lines_the_first_is_logged_and_then_their_number_every_interval() {
        let (mut interval, start) = (Interval::default(), Instant::now());
        let mut decide = |millis| {
            interval.decide((1, 2), example(), start + Duration::from_millis(millis))
        };
        let logged = (0..10_000).filter(|millis| decide(*millis) == Decision::Log).count();
        assert_eq!(logged, 1);
        // The next interval logs no line of its own.
        let logged = (10_000..20_000).filter(|millis| decide(*millis) == Decision::Log).count();
        assert_eq!(logged, 0);
        interval.roll(start + Duration::from_secs(20));
        let summary = |left_out| Summary {
            level: Level::ERROR,
            left_out,
            text: "the disk is full".into(),
        };
        assert_eq!(interval.summaries, [summary(9_999), summary(10_000)]);
        // After an interval without the line, it is logged again.
        let again = interval.decide((1, 2), example(), start + Duration::from_secs(3_600));
        assert_eq!(again, Decision::Log);
    }

    #[test]
    fn different_lines_of_one_place_are_logged_up_to_a_limit() {
        let (mut interval, start) = (Interval::default(), Instant::now());
        let logged = (0..1_000)
            .filter(|line| interval.decide((1, *line), example(), start) == Decision::Log)
            .count();
        assert_eq!(logged as u64, MAX_LINES_OF_A_PLACE);
        assert_eq!(interval.decide((2, 1), example(), start), Decision::LeaveOut { is_first: false });
        interval.roll(start + INTERVAL);
        assert_eq!(interval.summaries.len(), 2);
        // The memory does not grow with the number of lines.
        assert!(interval.lines.len() <= 1, "{}", interval.lines.len());
    }
}
