//! Reading requests: the origin check, bodies, lists, query parameters and headers.

pub(super) mod body;
pub(super) mod guard;
pub(super) mod idempotency_key;
pub(super) mod json_list;
pub(super) mod prefer;
pub(super) mod query;
