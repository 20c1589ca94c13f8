//! Tests of the behaviour that every storage backend must have.
//!
//! The module of each backend includes this folder; its `Store` is the store of that backend.

use super::Store;

mod access;
mod configure;
mod end_actions;
mod epoch;
mod impossible;
mod jobs;
mod keys;
mod leases;
mod limits;
mod model;
mod open;
mod reads;
mod webhook_secrets;
