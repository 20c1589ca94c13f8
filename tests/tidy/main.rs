//! Rules of this project that the compiler does not check: layers, sizes, dependencies, schema.
//!
//! Each rule is a function that takes a text and returns its faults, so that the tests can also
//! show that the rule finds a fault.

#![allow(clippy::unwrap_used, reason = "a test fails at the first unexpected error")]

mod circles;
mod layers;
mod leftovers;
mod reasons;
mod routes;
mod schema;
mod sizes;
mod source;

/// Panics with a list of all faults, unless there are none.
#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}
