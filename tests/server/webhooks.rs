//! Webhooks and follow-up jobs: what happens when a job or batch ends.

mod commands;
mod deliveries;
mod follow_ups;
mod receiver;
pub(crate) mod secrets;
mod verification;
