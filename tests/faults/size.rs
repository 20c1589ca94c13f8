//! How often a fault happens in this run.
//!
//! Every test run takes the short size; `tests/faults/run` sets these variables:
//!
//! - `FAULTS_SIZE=long`: the long size.
//! - `FAULTS_SCALE=0.2`: a fifth of it, for every fault.
//! - `FAULTS_COUNT=D1=200,L4=50`: this often, for these faults.
//! - `FAULTS_ONLY=D1,L4`: these faults and no others.

/// What the variables say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Size {
    is_long: bool,
    scale: Option<f64>,
    counts: Vec<(String, u32)>,
    only: Option<Vec<String>>,
}

impl Size {
    /// As this run was asked for.
    pub(crate) fn of_this_run() -> Self {
        Self::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let words = |text: String| text.split(',').map(|word| word.trim().to_owned()).collect();
        let words_of = |name| variable(name).map(words).unwrap_or_default();
        let counts: Vec<String> = words_of("FAULTS_COUNT");
        let is_long = match variable("FAULTS_SIZE").as_deref() {
            None | Some("short") => false,
            Some("long") => true,
            Some(other) => panic!("FAULTS_SIZE is short or long, not {other}"),
        };
        let scale = variable("FAULTS_SCALE").map(|text| {
            let scale = text.parse().ok().filter(|scale: &f64| scale.is_finite() && *scale > 0.0);
            scale.unwrap_or_else(|| panic!("FAULTS_SCALE is a number above 0, not {text}"))
        });
        Self {
            is_long,
            scale,
            counts: counts.iter().map(|text| count(text)).collect(),
            only: variable("FAULTS_ONLY").map(words),
        }
    }

    /// Whether a fault belongs to this run.
    pub(crate) fn has(&self, fault: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == fault))
    }

    /// How often a fault happens that happens `short` times in every test run and `long` times in
    /// a long one: at least once.
    pub(crate) fn times(&self, fault: &str, short: u32, long: u32) -> u32 {
        if let Some((_, count)) = self.counts.iter().find(|(name, _)| name == fault) {
            return *count;
        }
        let whole = f64::from(if self.is_long { long } else { short });
        // Rounded and at least 1, so a u32 that is none too large for its faults.
        (whole * self.scale.unwrap_or(1.0)).round().clamp(1.0, f64::from(u32::MAX)) as u32
    }
}

/// A fault and how often: `D1=200`.
fn count(text: &str) -> (String, u32) {
    let parts = text.split_once('=').map(|(fault, count)| (fault, count.parse()));
    match parts {
        Some((fault, Ok(count @ 1..))) => (fault.to_owned(), count),
        _ => panic!("FAULTS_COUNT is like D1=200,L4=50, not {text}"),
    }
}

#[test]
fn a_run_has_the_faults_and_sizes_that_it_is_asked_for() {
    let read = |pairs: &'static [(&str, &str)]| {
        Size::read(|name| {
            let mut found = pairs.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    };
    let size = read(&[]);
    assert_eq!((size.has("D1"), size.times("D1", 20, 1_000)), (true, 20));
    let size = read(&[("FAULTS_SIZE", "long"), ("FAULTS_ONLY", "D1,L4")]);
    assert_eq!((size.has("L4"), size.has("L5"), size.times("L4", 20, 1_000)), (true, false, 1_000));
    let size = read(&[("FAULTS_SIZE", "long"), ("FAULTS_SCALE", "0.2"), ("FAULTS_COUNT", "D2=7")]);
    assert_eq!((size.times("D1", 20, 1_000), size.times("D2", 10, 1_000)), (200, 7));
    assert_eq!(size.times("D8", 1, 2), 1);
}
