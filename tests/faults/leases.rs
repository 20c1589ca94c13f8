//! Leases that expire, are used late, or are used from several sides at the same time.

pub(crate) mod calls;
mod cancel;
mod clock;
mod late;
mod pause;
mod race;
