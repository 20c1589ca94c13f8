//! Commands that work on the server or its database file, one file a command.

pub(super) mod backup;
mod database;
pub(super) mod descriptors;
pub(super) mod guard;
pub(super) mod key;
mod orphans;
pub(super) mod prune;
pub mod serve;
pub(super) mod settings;
pub(super) mod signal;
pub(super) mod telemetry;
pub(super) mod verify;
pub(super) mod webhook;
