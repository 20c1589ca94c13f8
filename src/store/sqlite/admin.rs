//! The database as a file: opening, backup, verification, epochs and size limits.

pub mod backup;
pub(super) mod epoch;
mod foreign_log;
mod header;
pub(super) mod kept_file;
mod location;
mod lock;
pub(super) mod open;
mod origin;
pub(super) mod served_files;
pub(super) mod signing_secret;
pub(super) mod size_limit;
pub mod verify;
