//! The faults that the server is held to, each by its letter and number: `D` breaks disks and
//! processes, `L` leases and workers.
//!
//! Every test run takes each in a short form. `tests/faults/run --long` takes the long one and
//! prints a table; `size` says what can be chosen. A test begins a [`row::Row`] with the fault that
//! it is for.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it has measured"
)]

mod cancel;
mod clock;
mod crash;
mod disk;
mod drain;
mod flush;
mod handler;
mod history;
mod image;
#[path = "../kit/mod.rs"]
mod kit;
mod lease_calls;
mod lease_late;
mod lease_pause;
mod lease_race;
mod load;
mod model;
mod poison;
mod power;
mod program;
mod proxy;
mod random;
mod repeat;
mod row;
mod second;
mod siege;
mod size;
mod startup;
mod tracer;
mod worker;
