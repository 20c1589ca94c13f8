//! Leases: granting, renewing, finishing and rescuing them.

pub(super) mod attempt;
pub(super) mod clock_skew;
pub(super) mod finish;
pub(in crate::store::sqlite) mod lease;
pub(super) mod remote;
mod renew;
mod rescue;
