//! The lease protocol itself (L11): every order in which a server, its workers, the network between
//! them and the faults of all three can act, and whether a promise breaks in any of them.
//!
//! `row` and `server` have the rules, and ask `job::outcome::settle` what an outcome means, as the
//! store does; `action` has what may happen and `world` what comes of it; `promise` has what must
//! hold; `variant` has servers with one rule left out, each of which has to be found out. More of
//! everything: `LEASE_MODEL=long cargo test --release --test lease_model -- --nocapture`.
//!
//! What is left out: queues, priorities, batches and the order of jobs, which the tokens do not know
//! of; and times, for a lease may run out at any moment here.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it has measured"
)]

mod action;
mod bounds;
mod promise;
mod row;
mod server;
mod tally;
mod variant;
mod world;

use stateright::{Checker, HasDiscoveries, Model};

use bounds::Bounds;
use promise::Promise;
use variant::Variant;
use world::Scene;

/// The worlds that are gone through: a job that may be tried again, and one that may not.
fn scenes() -> Vec<Scene> {
    let is_long = std::env::var_os("LEASE_MODEL").is_some_and(|size| size == "long");
    let bounds = if is_long { Bounds::long() } else { Bounds::short() };
    bounds.into_iter().map(|bounds| Scene::new(bounds, Variant::Sound)).collect()
}

#[test]
fn no_order_of_events_breaks_a_promise_and_every_broken_rule_is_found_out() {
    let (mut states, mut deepest) = (0, 0);
    let tally = tally::Tally::default();
    for scene in scenes() {
        let checker = scene.tallied(&tally).checker().spawn_bfs().join();
        for promise in Promise::ALL {
            checker.assert_no_discovery(promise.name());
        }
        assert!(checker.is_done(), "not all was gone through");
        states += checker.unique_state_count();
        deepest = deepest.max(checker.max_depth());
    }
    tally.demand_everything();
    let caught = Variant::BROKEN.into_iter().filter(|variant| is_caught(*variant)).count();
    eprintln!(
        "L11: {states} states, {deepest} steps deep, {} kinds of events, {caught} of {} broken variants caught",
        tally.kinds(),
        Variant::BROKEN.len(),
    );
    assert_eq!(caught, Variant::BROKEN.len());
}

/// Whether a server with a rule left out breaks the promises that the rule is there for. Tells how,
/// in the fewest steps.
fn is_caught(variant: Variant) -> bool {
    variant.breaks().iter().all(|promise| breaks(variant, *promise))
}

fn breaks(variant: Variant, promise: Promise) -> bool {
    for bounds in Bounds::short() {
        let scene = Scene::new(bounds, variant).holding(promise);
        let found = HasDiscoveries::AnyFailures;
        let checker = scene.checker().finish_when(found).spawn_bfs().join();
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
fn every_promise_is_one_that_can_be_broken() {
    let broken: Vec<Promise> =
        Variant::BROKEN.iter().flat_map(|variant| variant.breaks()).copied().collect();
    for promise in Promise::ALL {
        assert!(broken.contains(&promise), "no variant breaks \"{}\"", promise.name());
    }
}
