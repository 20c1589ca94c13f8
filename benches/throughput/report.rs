//! What a measure gave, as a JSON line and as a row of the table.

use serde::Serialize;

/// One figure. The ratio and its goal are what counts: both sides come from one run.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub id: &'static str,
    pub what: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub against: &'static str,
    pub reference: f64,
    pub ratio: f64,
    pub bound: Option<&'static str>,
    pub goal: Option<f64>,
    pub met: Option<bool>,
}

/// What a ratio is held to.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub fn new(
        id: &'static str,
        what: &'static str,
        (value, unit): (f64, &'static str),
        (reference, against): (f64, &'static str),
        goal: Option<Goal>,
    ) -> Self {
        let ratio = value / reference;
        let (bound, goal, met) = match goal {
            Some(Goal::AtLeast(least)) => (Some("at_least"), Some(least), Some(ratio >= least)),
            Some(Goal::AtMost(most)) => (Some("at_most"), Some(most), Some(ratio <= most)),
            None => (None, None, None),
        };
        let figure = Self { id, what, value, unit, against, reference, ratio, bound, goal, met };
        println!("{}", serde_json::to_string(&figure).expect("a figure is JSON"));
        figure
    }

    /// The cells of its row.
    fn row(&self) -> [String; 7] {
        let goal = self.goal.map(|goal| match self.bound {
            Some("at_least") => format!(">= {goal}"),
            _ => format!("<= {goal}"),
        });
        let met = self.met.map(|met| if met { "met" } else { "MISSED" });
        [
            self.id.into(),
            self.what.into(),
            format!("{} {}", number(self.value), self.unit),
            number(self.reference),
            format!("{:.3}", self.ratio),
            goal.unwrap_or_else(|| "-".into()),
            met.unwrap_or_default().into(),
        ]
    }
}

/// A number with as many digits as say something.
fn number(value: f64) -> String {
    match value.abs() {
        1_000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Prints all figures for people, a line each.
pub fn print_table(figures: &[Figure]) {
    let head = ["id", "what", "value", "reference", "ratio", "goal", ""].map(String::from);
    let rows: Vec<_> = std::iter::once(head).chain(figures.iter().map(Figure::row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or_default());
    println!();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Words begin in one column, and numbers end in one.
            line += &match column {
                2..=4 => format!("{cell:>width$}  "),
                _ => format!("{cell:<width$}  "),
            };
        }
        println!("{}", line.trim_end());
    }
}

/// Of rounds that measured a value and its reference in turn, the one with the median ratio.
pub fn median_round(id: &str, mut rounds: Vec<(f64, f64)>) -> (f64, f64) {
    let ratio = |(value, reference): &(f64, f64)| value / reference;
    let said = |round| format!("{:.3} ({:.0} to {:.0})", ratio(round), round.0, round.1);
    eprintln!("{id}: its rounds: {}", rounds.iter().map(said).collect::<Vec<_>>().join(", "));
    rounds.sort_unstable_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    rounds[rounds.len() / 2]
}

/// The value at a share of the sorted samples: 0.5 is the median.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    let place = (samples.len() as f64 * share) as usize;
    samples[place.min(samples.len() - 1)]
}
