//! Number of times that each fault happens in this run.
//!
//! Without any variable every fault has its short size. `tests/faults/run` sets these variables:
//!
//! - `FAULTS_SIZE=long`: use the long sizes.
//! - `FAULTS_SCALE=0.2`: multiply the size of every fault by this factor.
//! - `FAULTS_COUNT=D1=200,L4=50`: use these sizes for these faults.
//! - `FAULTS_ONLY=D1,L4`: test only these faults.

/// Faults and sizes that the variables select.
#[derive(Debug, Clone, Default)]
pub(crate) struct Size {
    is_long: bool,
    scale: Option<f64>,
    counts: Vec<(String, u32)>,
    only: Option<Vec<String>>,
}

impl Size {
    /// Reads the variables of the environment.
    pub(crate) fn from_env() -> Self {
        Self::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let list = |text: String| text.split(',').map(|item| item.trim().to_owned()).collect();
        let list_of = |name| variable(name).map(list).unwrap_or_default();
        let counts: Vec<String> = list_of("FAULTS_COUNT");
        let is_long = match variable("FAULTS_SIZE").as_deref() {
            None | Some("short") => false,
            Some("long") => true,
            Some(other) => panic!("FAULTS_SIZE must be short or long, not {other}"),
        };
        let scale = variable("FAULTS_SCALE").map(|text| {
            let scale = text.parse().ok().filter(|scale: &f64| scale.is_finite() && *scale > 0.0);
            scale.unwrap_or_else(|| panic!("FAULTS_SCALE must be a number above 0, not {text}"))
        });
        Self {
            is_long,
            scale,
            counts: counts.iter().map(|text| count(text)).collect(),
            only: variable("FAULTS_ONLY").map(list),
        }
    }

    /// Returns whether this run includes a fault.
    pub(crate) fn includes(&self, fault: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == fault))
    }

    /// Returns the size of a fault in this run, which is at least 1.
    ///
    /// `short` and `long` are its sizes in a short and in a long run.
    pub(crate) fn times(&self, fault: &str, short: u32, long: u32) -> u32 {
        if let Some((_, count)) = self.counts.iter().find(|(name, _)| name == fault) {
            return *count;
        }
        let whole = f64::from(if self.is_long { long } else { short });
        // The cast is exact because the value is rounded and clamped to the range of u32.
        (whole * self.scale.unwrap_or(1.0)).round().clamp(1.0, f64::from(u32::MAX)) as u32
    }
}

/// Parses a fault and its size, such as `D1=200`.
fn count(text: &str) -> (String, u32) {
    let parts = text.split_once('=').map(|(fault, count)| (fault, count.parse()));
    match parts {
        Some((fault, Ok(count @ 1..))) => (fault.to_owned(), count),
        _ => panic!("FAULTS_COUNT must be a list such as D1=200,L4=50, not {text}"),
    }
}

#[test]
fn the_variables_select_the_faults_and_their_sizes() {
    let read = |pairs: &'static [(&str, &str)]| {
        Size::read(|name| {
            let mut found = pairs.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    };
    let size = read(&[]);
    assert_eq!((size.includes("D1"), size.times("D1", 20, 1_000)), (true, 20));
    let size = read(&[("FAULTS_SIZE", "long"), ("FAULTS_ONLY", "D1,L4")]);
    assert_eq!(
        (size.includes("L4"), size.includes("L5"), size.times("L4", 20, 1_000)),
        (true, false, 1_000)
    );
    let size = read(&[("FAULTS_SIZE", "long"), ("FAULTS_SCALE", "0.2"), ("FAULTS_COUNT", "D2=7")]);
    assert_eq!((size.times("D1", 20, 1_000), size.times("D2", 10, 1_000)), (200, 7));
    assert_eq!(size.times("D8", 1, 2), 1);
}
