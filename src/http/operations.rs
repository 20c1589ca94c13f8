//! Routes for those who operate the server: health, keys, webhook secrets, statistics and pruning.

pub(super) mod health;
pub(super) mod keys;
pub(super) mod providers;
pub(super) mod pruning;
pub(super) mod stats;
pub(super) mod tokens;
pub(super) mod webhook_secrets;
