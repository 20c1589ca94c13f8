//! The benchmark: measures speed, each figure as a ratio to a reference from the same run.
//!
//! `cargo bench --bench throughput` runs all measurements; `-- --only T1,T3` selects some. All writes
//! are durable (`synchronous=FULL`), on real files in the directory given by `TMPDIR`. The load
//! generator runs in the same process and shares its cores. The benchmark prints one JSON line per
//! figure as soon as it is measured, then a table of all figures.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark prints its figures, and ends if one cannot be measured"
)]

mod backlog;
mod bare;
mod bulk;
mod callbacks;
mod chat;
mod crowd;
mod disk;
mod drain;
#[path = "../../tests/kit/mod.rs"]
mod kit;
mod latency;
mod listeners;
mod load;
mod machine;
mod memory;
mod neighbours;
mod pages;
mod reads;
mod remote;
mod report;
mod server;
mod submit;
mod work;

use report::Figure;

type Measurement = fn() -> Vec<Figure>;

const MEASUREMENTS: [(&str, Measurement); 16] = [
    ("T1", submit::run),
    ("T2", bulk::run),
    ("T3", drain::run),
    ("T4", submit::to_completed),
    ("T5", latency::run),
    ("T6", crowd::run),
    ("T7", memory::run),
    ("T8", chat::run),
    ("T9", remote::run),
    ("T10", reads::run),
    ("slots", chat::slots),
    ("callbacks", callbacks::run),
    ("neighbours", neighbours::run),
    ("status", neighbours::status),
    ("listeners", listeners::run),
    ("pages", pages::run),
];

/// Returns the arguments after an option of the command line.
fn arguments_after(option: &'static str) -> impl Iterator<Item = String> {
    std::env::args().skip_while(move |arg| arg != option).skip(1)
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut work = arguments_after("--work");
    if let Some(name) = work.next() {
        let kind = work::named(&name).expect(
            "--work must be followed by parse, submit, keyed or complete, and a number of jobs",
        );
        let jobs =
            work.next().and_then(|jobs| jobs.parse().ok()).expect("--work needs a number of jobs");
        return work::run(kind, jobs);
    }
    let only = arguments_after("--only").next();
    let is_selected = |name: &str| match &only {
        Some(only) => only.split(',').any(|selected| selected == name),
        None => true,
    };
    machine::print_facts();
    let mut figures = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if is_selected(name) {
            figures.extend(measure());
        }
    }
    assert!(
        !figures.is_empty(),
        "--only must name some of {:?}",
        MEASUREMENTS.map(|(name, _)| name)
    );
    report::print_table(&figures);
}
