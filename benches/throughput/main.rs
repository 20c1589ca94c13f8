//! How fast Longshore is, each figure as a ratio to a reference measured in the same run.
//!
//! `cargo bench --bench throughput` runs all; `-- --only T1,T3` picks. Everything is durable
//! (`synchronous=FULL`) and on real files in the directory given by `TMPDIR`; the load generator
//! runs in the same process and shares its cores. A JSON line for each figure as it comes, then a
//! table of all.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a program that measures: it prints, and a measure that cannot be taken ends it"
)]

mod backlog;
mod bare;
mod bulk;
mod chat;
mod crowd;
mod disk;
mod drain;
mod latency;
mod listeners;
mod load;
mod machine;
mod memory;
mod neighbours;
mod pages;
mod program;
mod reads;
mod remote;
mod report;
mod server;
mod submit;
mod work;

use report::Figure;

type Measure = fn() -> Vec<Figure>;

const MEASURES: [(&str, Measure); 15] = [
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
    ("neighbours", neighbours::run),
    ("status", neighbours::status),
    ("listeners", listeners::run),
    ("pages", pages::run),
];

/// What follows an option on the command line.
fn after(option: &'static str) -> impl Iterator<Item = String> {
    std::env::args().skip_while(move |arg| arg != option).skip(1)
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut work = after("--work");
    if let Some(name) = work.next() {
        let kind =
            work::named(&name).expect("--work takes parse, submit or complete, and a number");
        let jobs = work.next().and_then(|jobs| jobs.parse().ok()).expect("a number of jobs");
        return work::run(kind, jobs);
    }
    let only = after("--only").next();
    let is_wanted = |name: &str| match &only {
        Some(only) => only.split(',').any(|wanted| wanted == name),
        None => true,
    };
    machine::print_facts();
    let mut figures = Vec::new();
    for (name, measure) in MEASURES {
        if is_wanted(name) {
            figures.extend(measure());
        }
    }
    assert!(!figures.is_empty(), "--only takes {:?}", MEASURES.map(|(name, _)| name));
    report::print_table(&figures);
}
