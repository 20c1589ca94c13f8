//! Model checking of the lease protocol (L11): explores every order of events of a server, its
//! workers, the network between them and their faults, and checks that no order breaks a promise.
//!
//! - `job_row` and `server` contain the rules of the server. Like the store, they use
//!   `job::outcome::settle` for the meaning of an outcome and `job::epoch` for the tokens after a
//!   restore.
//! - `action` lists the possible events, and `world` applies them.
//! - `promise` lists the properties that must hold.
//! - `variant` lists servers that lack one rule. The model must catch each of them.
//!
//! The model omits queues, priorities, batches and the order of jobs, because tokens do not depend on
//! them. It has no times: a lease may expire at any step.

mod action;
mod bounds;
mod event_counts;
mod job_row;
mod promise;
mod server;
mod variant;
mod world;

use stateright::{Checker, HasDiscoveries, Model};

use crate::fault_row::FaultRow;
use bounds::Bounds;
use promise::Promise;
use variant::Variant;
use world::Scenario;

#[test]
fn no_order_of_events_breaks_a_promise_and_every_broken_variant_is_caught() {
    let what = "every order of events in a model of the protocol";
    let Some(mut report) = FaultRow::start("L11", what, (2, 3, "leases a job")) else { return };
    let leases = u8::try_from(report.times).unwrap();
    let (mut states, mut deepest) = (0, 0);
    let event_counts = event_counts::EventCounts::default();
    for bounds in Bounds::of(leases) {
        let scenario = Scenario::new(bounds, Variant::Sound);
        let checker = scenario.counted_in(&event_counts).checker().spawn_bfs().join();
        for promise in Promise::ALL {
            checker.assert_no_discovery(promise.name());
        }
        assert!(checker.is_done(), "the search did not cover all states");
        states += checker.unique_state_count();
        deepest = deepest.max(checker.max_depth());
    }
    event_counts.assert_all_occurred();
    let caught = Variant::BROKEN.into_iter().filter(|variant| is_caught(*variant)).count();
    report.count("states", states);
    report.count("steps deep", deepest);
    report.count("kinds of events", event_counts.kinds());
    report.count("broken variants caught", format!("{caught} of {}", Variant::BROKEN.len()));
    assert_eq!(caught, Variant::BROKEN.len());
    report.held();
}

/// Returns whether a server without one rule breaks each of the promises that need the rule. Prints
/// a shortest sequence of events for each.
fn is_caught(variant: Variant) -> bool {
    variant.breaks().iter().all(|promise| breaks(variant, *promise))
}

fn breaks(variant: Variant, promise: Promise) -> bool {
    for bounds in Bounds::short() {
        let scenario = Scenario::new(bounds, variant).checking_only(promise);
        let found = HasDiscoveries::AnyFailures;
        let checker = scenario.checker().finish_when(found).spawn_bfs().join();
        let Some(path) = checker.discovery(promise.name()) else { continue };
        let steps: Vec<String> =
            path.into_actions().iter().map(|action| action.to_string()).collect();
        eprintln!("  {variant:?} breaks \"{}\": {}", promise.name(), steps.join("; "));
        return true;
    }
    eprintln!("  {variant:?} does not break \"{}\"", promise.name());
    false
}

#[test]
fn every_promise_is_broken_by_some_variant() {
    let broken: Vec<Promise> =
        Variant::BROKEN.iter().flat_map(|variant| variant.breaks()).copied().collect();
    for promise in Promise::ALL {
        assert!(broken.contains(&promise), "no variant breaks \"{}\"", promise.name());
    }
}
