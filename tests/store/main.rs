//! One suite for every store: what the docs of `store::write` promise, operation by operation.
//!
//! The tests speak to a [`kit::Store`] and do not know what is behind it. A further backend is one
//! more `impl kit::Backend`. Each test ends with a look through all tables: a [`kit::Store`] that
//! is dropped has to be sound.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod batch;
mod cancel;
mod configure;
mod counts;
mod delete;
mod epoch;
mod expire;
mod finish;
mod idempotency;
mod kit;
mod lease;
mod list;
mod list_random;
mod model;
mod open;
mod outcome;
mod plans;
mod prepared;
mod prune;
mod remote;
mod renew;
mod rescue;
mod retry;
mod stage;
mod submit;
mod time_buckets;
mod verify;
