//! What operators ask of the server: keys, webhook secrets, deliveries, statistics, providers and pruning; and calls on
//! one batch.

mod batch_jobs;
pub(super) mod batches;
pub(super) mod deliveries;
pub(super) mod keys;
mod provider;
mod pruning;
mod stats;
pub(super) mod tokens;
pub(super) mod webhook_secrets;
