//! The suite on SQLite, and tests of what only SQLite has: the file and its log, constraints, query
//! plans, prepared statements, and verification.

mod migration;
mod older_keys;
mod open;
mod plans;
mod prepared;
mod reads;
#[path = "suite/mod.rs"]
mod suite;
mod verify;

/// Store on a SQLite database.
type Store = crate::kit::store::Store<crate::kit::sqlite::Sqlite>;
