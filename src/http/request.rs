//! Reading requests: the checks that all requests pass, bodies, lists, query parameters and headers.

mod audit;
pub(super) mod auth;
pub(super) mod body;
pub(super) mod client;
mod cors;
pub(super) mod guard;
pub(super) mod idempotency_key;
pub(super) mod json_list;
mod openai_client;
pub(super) mod prefer;
pub(super) mod query;
mod waits;
