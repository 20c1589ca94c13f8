//! Which kinds there are, and what runs them.

use longshore::executor::{Handler, HandlerError, RegistryError};
use longshore::job::{Json, Lane};

use crate::kit::*;

fn nothing() -> Handler {
    Handler::new(async |_, (): ()| Ok::<_, HandlerError>(()))
}

#[test]
fn every_built_in_kind_has_its_lane() {
    let registry = registry();
    assert_eq!(registry.kinds(), ["chat", "command", "echo", "http", "sleep"]);
    let lanes =
        ["http", "chat", "command", "sleep", "echo"].map(|kind| registry.lane_of(kind, None));
    let expected = [Lane::Async, Lane::Async, Lane::Process, Lane::Async, Lane::Async];
    assert_eq!(lanes, expected.map(Ok));
    assert_eq!(registry.lane_of("fax", None).unwrap_err().pointer, "/kind");
    assert!(registry.executor("fax").is_none());
    assert_eq!(registry.check("fax", &Json::null()), []);
}

#[test]
fn a_handler_takes_the_lane_of_its_form() {
    let mut registry = registry();
    registry.add_handler("resize", nothing()).unwrap();
    registry.add_handler("hash", Handler::blocking(|_, (): ()| Ok(()))).unwrap();
    assert_eq!(registry.lane_of("resize", None), Ok(Lane::Async));
    assert_eq!(registry.lane_of("hash", None), Ok(Lane::Thread));
    assert_eq!(registry.kinds().len(), 7);
}

#[test]
fn a_bad_name_or_a_taken_kind_is_refused() {
    let mut registry = registry();
    let bad = registry.add_handler("Re size", nothing()).unwrap_err();
    assert!(matches!(bad, RegistryError::BadName { .. }), "{bad}");
    let taken = registry.add_handler("http", nothing()).unwrap_err();
    assert!(matches!(taken, RegistryError::Taken { .. }), "{taken}");
}
