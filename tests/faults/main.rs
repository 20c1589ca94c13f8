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
mod crash;
mod disk;
mod drain;
mod flush;
mod handler;
mod history;
#[path = "../kit/mod.rs"]
mod kit;

mod image;
mod load;
mod poison;
mod power;
mod program;
mod random;
mod repeat;
mod row;
mod second;
mod siege;
mod size;
mod startup;
mod tracer;
