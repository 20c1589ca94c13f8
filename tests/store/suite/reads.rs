//! Reads: lists of jobs, counts of queues and time buckets.

use super::Store;

mod counts;
mod list;
mod list_random;
mod time_buckets;
