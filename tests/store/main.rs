//! Test suite of the storage backends: the contract documented in `store` and `store::write`.
//!
//! The tests in `suite/` use a [`kit::store::Store`] and do not know its backend. Each backend has a
//! module here, named after it, which runs the whole suite on that backend and has further tests of what
//! only that backend has. To add a backend, implement [`kit::backend::Backend`] for it and add its module.
//! When a store is dropped at the end of a test, it verifies that all its tables are sound.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic fails the test")]

mod kit;
mod sqlite;
