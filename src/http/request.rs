//! Reading requests: the checks that all requests pass, bodies, lists, query parameters and headers.

mod audit;
mod auth;
mod bearer;
pub(super) mod body;
pub(super) mod client;
mod cors;
pub(super) mod credential;
pub(super) mod guard;
pub(super) mod idempotency_key;
pub(super) mod json_list;
pub(super) mod key_end;
mod openai_client;
pub(super) mod prefer;
pub(super) mod query;
mod query_token;
mod read_token;
mod target;
