//! Fault tests: each breaks something and checks that the promises of the server still hold.
//!
//! Each fault has a letter and a number, as in docs/RELIABILITY.md: `D` for broken disks and
//! processes, `L` for broken leases and workers. `attacks` is all attacks of clients and jobs at once.
//! Every test run uses the short form of each fault; `tests/faults/run --long` uses the long form and
//! prints a table. The module `fault_row::size` documents the variables that select faults and sizes.
//! Each test starts a [`fault_row::FaultRow`] for its fault.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints what it has measured"
)]

mod attacks;
mod disk;
mod fault_row;
mod history;
#[path = "../kit/mod.rs"]
mod kit;
mod leases;
mod load;
mod model;
mod proxy;
mod random;
mod repeated_faults;
mod restarts;
mod workers;
