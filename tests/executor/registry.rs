//! The registry: kinds, their lanes and the addition of handlers.

use longshore::executor::{Handler, HandlerError, RegistryError};
use longshore::job::{Json, Lane};

use crate::harness::*;

fn no_op() -> Handler {
    Handler::new(async |_, (): ()| Ok::<_, HandlerError>(()))
}

#[test]
fn every_built_in_kind_has_its_lane() {
    let registry = registry();
    assert_eq!(registry.kinds(), ["chat", "command", "echo", "http", "sleep"]);
    let lanes =
        ["http", "chat", "command", "sleep", "echo"].map(|kind| registry.lane_of(kind, None));
    let expected = [Lane::Async, Lane::Async, Lane::Process, Lane::Async, Lane::Async];
    assert_eq!(lanes, expected.map(|lane| Ok(Some(lane))));
    assert_eq!(registry.lane_of("fax", None), Ok(None));
    assert!(registry.runs_here("echo") && !registry.runs_here("fax"));
    assert!(registry.executor("fax").is_none());
    assert_eq!(registry.check("fax", &Json::null()), Ok(None));
}

#[test]
fn the_type_of_a_handler_determines_its_lane() {
    let mut registry = registry();
    registry.add_handler("resize", no_op()).unwrap();
    registry.add_handler("hash", Handler::blocking(|_, (): ()| Ok(()))).unwrap();
    assert_eq!(registry.lane_of("resize", None), Ok(Some(Lane::Async)));
    assert_eq!(registry.lane_of("hash", None), Ok(Some(Lane::Thread)));
    assert_eq!(registry.kinds().len(), 7);
}

#[test]
fn an_invalid_or_registered_kind_is_refused() {
    let mut registry = registry();
    let invalid = registry.add_handler("Re size", no_op()).unwrap_err();
    assert!(matches!(invalid, RegistryError::BadName { .. }), "{invalid}");
    let taken = registry.add_handler("http", no_op()).unwrap_err();
    assert!(matches!(taken, RegistryError::Taken { .. }), "{taken}");
}
