//! What operators ask of the server: statistics, providers and pruning.

mod provider;
mod pruning;
mod stats;
