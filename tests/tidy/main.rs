//! The rules of the house, which no compiler holds: layers, sizes, words, reasons.
//!
//! Each rule is a function from a text to what is wrong with it, so that its own tests can show
//! that it sees a fault.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod layers;
mod leftovers;
mod reasons;
mod schema;
mod sizes;
mod source;

/// Fails with all faults at once.
#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}
