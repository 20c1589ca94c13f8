//! Jobs over HTTP: submitting, reading, cancelling and retrying them.

mod batches;
mod bulk;
mod cancel;
mod events;
mod idempotency;
mod list;
mod many;
mod progress;
mod retry;
mod submit;
mod update;
mod wait;
