//! What a measure gave, as a JSON line and as a row of the table.

use serde::Serialize;

/// One figure. The ratio and its goal are what counts: both sides come from one run.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub id: &'static str,
    pub what: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub reference: f64,
    pub against: &'static str,
    pub ratio: f64,
    pub goal: Option<Goal>,
    pub met: Option<bool>,
}

/// What a ratio is held to.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
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
        let met = goal.map(|goal| match goal {
            Goal::AtLeast(least) => ratio >= least,
            Goal::AtMost(most) => ratio <= most,
        });
        let figure = Self { id, what, value, unit, reference, against, ratio, goal, met };
        println!("{}", serde_json::to_string(&figure).expect("a figure is JSON"));
        figure
    }
}

/// Prints all figures for people.
pub fn print_table(figures: &[Figure]) {
    println!();
    for figure in figures {
        let Figure { what, value, unit, reference, against, ratio, goal, met, .. } = figure;
        let goal = match goal {
            Some(Goal::AtLeast(least)) => format!(">= {least}"),
            Some(Goal::AtMost(most)) => format!("<= {most}"),
            None => "-".into(),
        };
        let met = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        println!("{what}");
        println!("    {value:.3} {unit} against {reference:.3} ({against})");
        println!("    ratio {ratio:.3}, goal {goal} {met}");
    }
}

/// The value at a share of the sorted samples: 0.5 is the median.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    let place = (samples.len() as f64 * share) as usize;
    samples[place.min(samples.len() - 1)]
}
