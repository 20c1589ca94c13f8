//! Rows of the tables, and their conversion to the types of the rules.
//!
//! The rows know the tables but no connection, so every backend of Diesel can read them. A value that no
//! version of this program writes is an error, which names the row in the words of `longshore verify`.

pub(crate) mod api_key;
pub(crate) mod attempt;
pub(crate) mod batch;
pub(crate) mod end_actions;
pub(crate) mod job;
pub(crate) mod leased;
pub(crate) mod location;
pub(crate) mod provider;
pub(crate) mod queue;
pub(crate) mod running;
pub(crate) mod submission;
pub(crate) mod time_bucket;
pub(crate) mod values;
pub(crate) mod webhook_secret;
