//! Jobs that wait or have ended: submitted, moved in their time, cancelled, retried and removed.

use super::Store;

mod batch;
mod batch_ends;
mod cancel;
mod delete;
mod expire;
mod idempotency;
mod prune;
mod retry;
mod stage;
mod submit;
mod update;
