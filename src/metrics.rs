//! Counts what happens to jobs, for charts and statistics: time buckets, the recorder and histograms.

pub mod counters;
pub mod histogram;
pub mod recorder;
pub mod stats;
pub mod time_bucket;

pub use stats::Stats;
