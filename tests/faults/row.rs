//! One row of the report: a fault, how often it happened, what was counted, whether all held.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::kit::skip;
use crate::size::Size;

/// A row that is being filled. It is told when it ends, with the verdict that all held only if
/// [`Row::held`] was called, and appended to the file that `FAULTS_REPORT` names: columns divided
/// by tabs.
pub(crate) struct Row {
    fault: &'static str,
    what: &'static str,
    unit: &'static str,
    /// How often the fault happens in this run.
    pub(crate) times: u32,
    counts: Vec<String>,
    verdict: &'static str,
    began: Instant,
}

impl Row {
    /// Begins the row of a fault of CHECKS, such as `D1`, that happens `short` times in every test
    /// run and `long` times in a long one. None where this run is for others: the test is over.
    pub(crate) fn begin(
        fault: &'static str,
        what: &'static str,
        (short, long, unit): (u32, u32, &'static str),
    ) -> Option<Self> {
        let size = Size::of_this_run();
        let row = || Self {
            fault,
            what,
            unit,
            times: size.times(fault, short, long),
            counts: Vec::new(),
            verdict: "FAILED",
            began: Instant::now(),
        };
        size.has(fault).then(row)
    }

    /// Adds a figure.
    pub(crate) fn count(&mut self, name: &str, count: impl std::fmt::Display) {
        self.counts.push(format!("{name} {count}"));
    }

    /// Adds a time.
    pub(crate) fn time(&mut self, name: &str, time: Duration) {
        self.counts.push(format!("{name} {} ms", time.as_millis()));
    }

    /// Ends it: everything that was asked for held.
    pub(crate) fn held(mut self) {
        self.verdict = "held";
    }

    /// Ends it: this cannot be run here. Where every test must run it has failed.
    pub(crate) fn skip(mut self, why: &str) {
        skip(why);
        self.counts.push(why.replace(['\t', '\n'], " "));
        self.verdict = "skipped";
    }

    fn line(&self) -> String {
        let (times, counts) = (self.times, self.counts.join(", "));
        let seconds = self.began.elapsed().as_secs_f64();
        let (fault, what, unit, verdict) = (self.fault, self.what, self.unit, self.verdict);
        format!("{fault}\t{what}\t{times} {unit}\t{counts}\t{verdict}\t{seconds:.1}\n")
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let line = self.line();
        eprint!("{}", line.replace('\t', " | "));
        let Some(path) = std::env::var_os("FAULTS_REPORT") else { return };
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        // A row that is missing would be taken for one that was not asked for.
        if let Err(error) = written {
            eprintln!("the report cannot be written: {error}");
            std::process::abort();
        }
    }
}
