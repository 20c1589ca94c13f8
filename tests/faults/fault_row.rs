//! One row of the report: a fault, its size, its counts and its verdict.

mod size;

use std::io::Write;
use std::time::{Duration, Instant};

use crate::kit::skip;
use crate::random::Random;
use size::Size;

/// Row of the report for one fault.
///
/// When it is dropped, the row is printed and appended to the file that `FAULTS_REPORT` names, with
/// tabs between its columns. The verdict is `held` only if [`FaultRow::held`] was called.
pub(crate) struct FaultRow {
    fault: &'static str,
    what: &'static str,
    unit: &'static str,
    /// Size of the fault in this run: how often it happens, in `unit`s.
    pub(crate) times: u32,
    counts: Vec<String>,
    verdict: &'static str,
    started: Instant,
}

impl FaultRow {
    /// Starts the row of a fault of docs/RELIABILITY.md, such as `D1`.
    ///
    /// The fault happens `short` times in a short run and `long` times in a long run, counted in
    /// `unit`s. Returns `None` if this run does not include the fault; the test then returns at once.
    pub(crate) fn start(
        fault: &'static str,
        what: &'static str,
        (short, long, unit): (u32, u32, &'static str),
    ) -> Option<Self> {
        let size = Size::from_env();
        let row = || Self {
            fault,
            what,
            unit,
            times: size.times(fault, short, long),
            counts: Vec::new(),
            verdict: "FAILED",
            started: Instant::now(),
        };
        size.includes(fault).then(row)
    }

    /// Creates a random generator with a new seed, which is printed and added to the row.
    pub(crate) fn random(&mut self) -> Random {
        let (random, seed) = Random::for_this_run();
        eprintln!("{}: seed {seed}", self.fault);
        self.count("seed", seed);
        random
    }

    /// Runs `run` for each time that the fault happens. The row has held if none of them returns why
    /// the test cannot run on this machine.
    pub(crate) fn repeat(self, run: impl Fn() -> Result<(), String>) {
        match (0..self.times).try_for_each(|_| run()) {
            Ok(()) => self.held(),
            Err(why) => self.skip(&why),
        }
    }

    /// Adds a named count to the row.
    pub(crate) fn count(&mut self, name: &str, count: impl std::fmt::Display) {
        self.counts.push(format!("{name} {count}"));
    }

    /// Adds a named time to the row, in milliseconds.
    pub(crate) fn time(&mut self, name: &str, time: Duration) {
        self.counts.push(format!("{name} {} ms", time.as_millis()));
    }

    /// Ends the row with the verdict `held`: every promise held.
    pub(crate) fn held(mut self) {
        self.verdict = "held";
    }

    /// Ends the row with the verdict `skipped`: the test cannot run on this machine.
    ///
    /// Panics if the variable `CI` is set, because every test must run there.
    pub(crate) fn skip(mut self, why: &str) {
        skip(why);
        self.counts.push(why.replace(['\t', '\n'], " "));
        self.verdict = "skipped";
    }

    fn line(&self) -> String {
        let (times, counts) = (self.times, self.counts.join(", "));
        let seconds = self.started.elapsed().as_secs_f64();
        let (fault, what, unit, verdict) = (self.fault, self.what, self.unit, self.verdict);
        format!("{fault}\t{what}\t{times} {unit}\t{counts}\t{verdict}\t{seconds:.1}\n")
    }
}

impl Drop for FaultRow {
    fn drop(&mut self) {
        let line = self.line();
        eprint!("{}", line.replace('\t', " | "));
        let Some(path) = std::env::var_os("FAULTS_REPORT") else { return };
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        // A missing row would look like a fault that this run does not include.
        if let Err(error) = written {
            eprintln!("cannot write a row of the report: {error}");
            std::process::abort();
        }
    }
}
