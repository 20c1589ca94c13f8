//! Counts what happens to jobs, for charts and statistics: time buckets, the recorder and histograms.

internal_modules!(counters, histogram, recorder);

pub mod stats;
pub mod time_bucket;

pub use stats::Stats;
