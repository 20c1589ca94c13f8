//! Commands on jobs and batches, one file a command.

pub(super) mod batch;
mod bulk_report;
pub(super) mod cancel;
mod follow;
pub(super) mod id;
mod input;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod retry;
pub(super) mod status;
pub(super) mod submit;
pub(super) mod tail;
pub(super) mod update;
pub(super) mod wait;

pub(in crate::cli) use status::deliveries;
