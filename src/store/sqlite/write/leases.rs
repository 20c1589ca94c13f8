//! Leases: granting, renewing, finishing and rescuing them.

pub(super) mod attempt;
pub(super) mod clock_skew;
pub(super) mod finish;
mod lease;
pub(super) mod remote;
mod renew;
mod rescue;
