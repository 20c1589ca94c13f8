//! Disks that are full, fail to flush, or lose power.

mod flush;
mod full;
mod image;
mod power;
pub(crate) mod tracer;
