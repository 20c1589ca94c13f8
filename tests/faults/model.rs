//! The lease protocol itself (L11): every order in which a server, its workers, the network between
//! them and the faults of all three can act, and whether a promise breaks in any of them.
//!
//! `row` and `server` have the rules, and ask `job::outcome::settle` what an outcome means and
//! `job::epoch` for the tokens of a copy, as the store does; `action` has what may happen and `world`
//! what comes of it; `promise` has what must hold; `variant` has servers with one rule left out, each
//! of which has to be found out.
//!
//! What is left out: queues, priorities, batches and the order of jobs, which the tokens do not know
//! of; and times, for a lease may run out at any moment here.

mod action;
mod bounds;
mod promise;
mod row;
mod server;
mod tally;
mod variant;
mod world;

use stateright::{Checker, HasDiscoveries, Model};

use crate::row::Row;
use bounds::Bounds;
use promise::Promise;
use variant::Variant;
use world::Scene;

#[test]
fn no_order_of_events_breaks_a_promise_and_every_broken_rule_is_found_out() {
    let what = "every order of events of a model of the protocol";
    let Some(mut report) = Row::begin("L11", what, (2, 3, "leases a job")) else { return };
    let leases = u8::try_from(report.times).unwrap();
    let (mut states, mut deepest) = (0, 0);
    let tally = tally::Tally::default();
    for bounds in Bounds::of(leases) {
        let scene = Scene::new(bounds, Variant::Sound);
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
    report.count("states", states);
    report.count("steps deep", deepest);
    report.count("kinds of events", tally.kinds());
    report.count("broken variants caught", format!("{caught} of {}", Variant::BROKEN.len()));
    assert_eq!(caught, Variant::BROKEN.len());
    report.held();
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
