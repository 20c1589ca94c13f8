//! Figures, as JSON lines and as a table.

use serde::Serialize;

/// One figure: a measured value, its reference from the same run, their ratio and its goal.
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

/// Bound that a ratio must meet.
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

    /// Returns the cells of the figure's row in the table.
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

/// Formats a number with fewer decimals the larger it is.
fn number(value: f64) -> String {
    match value.abs() {
        1_000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Prints a table of all figures.
pub fn print_table(figures: &[Figure]) {
    let head = ["id", "what", "value", "reference", "ratio", "goal", ""].map(String::from);
    let rows: Vec<_> = std::iter::once(head).chain(figures.iter().map(Figure::row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or_default());
    println!();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Words are aligned to the left, numbers to the right.
            line += &match column {
                2..=4 => format!("{cell:>width$}  "),
                _ => format!("{cell:<width$}  "),
            };
        }
        println!("{}", line.trim_end());
    }
}

/// Prints the rounds, each a value and its reference, and returns the one with the median ratio.
pub fn median_round(id: &str, mut rounds: Vec<(f64, f64)>) -> (f64, f64) {
    let ratio = |(value, reference): &(f64, f64)| value / reference;
    let shown = |round| format!("{:.3} ({:.0} to {:.0})", ratio(round), round.0, round.1);
    eprintln!("{id}: rounds: {}", rounds.iter().map(shown).collect::<Vec<_>>().join(", "));
    rounds.sort_unstable_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    rounds[rounds.len() / 2]
}

/// Returns the quantile of the samples for a share between 0 and 1: 0.5 is the median.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    let index = (samples.len() as f64 * share) as usize;
    samples[index.min(samples.len() - 1)]
}
