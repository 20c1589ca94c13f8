//! Writes: one file per operation, applied as one commit group.

mod activity;
pub(super) mod batch;
mod cancel;
pub(super) mod commit_group;
mod delete;
mod insert;
pub(super) mod leases;
pub(super) mod log;
pub(super) mod queue;
mod retry;
mod stage;
mod submit;
pub(super) mod time_buckets;
mod update;
