//! What operators ask of the server: keys, statistics, providers and pruning.

pub(super) mod keys;
mod provider;
mod pruning;
mod stats;
pub(super) mod tokens;
