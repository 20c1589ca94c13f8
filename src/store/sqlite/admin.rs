//! The database as a file: opening, backup, verification, epochs and size limits.

pub mod backup;
pub(super) mod epoch;
mod foreign_log;
pub(super) mod open;
pub(super) mod size_limit;
pub mod verify;
