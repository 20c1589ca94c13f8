//! Test suite for every storage backend: the contract documented in `store` and `store::write`.
//!
//! The tests use a [`kit::Store`] and do not know its backend. To test another backend, implement
//! [`kit::Backend`] for it. When a [`kit::Store`] is dropped at the end of a test, it verifies that all
//! its tables are sound.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic fails the test")]

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
