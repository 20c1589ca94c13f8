//! Webhooks and follow-up jobs: what happens when a job or batch ends.

mod deliveries;
mod follow_ups;
mod receiver;
