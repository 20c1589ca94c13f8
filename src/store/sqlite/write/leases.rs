//! Leases: granting, renewing, finishing and rescuing them.

pub(super) mod attempt;
mod candidate;
mod defer;
pub(super) mod clock_skew;
pub(super) mod finish;
pub(in crate::store::sqlite) mod lease;
pub(in crate::store::sqlite) mod limited;
pub(in crate::store::sqlite) mod provider;
pub(super) mod remote;
mod renew;
mod rescue;
