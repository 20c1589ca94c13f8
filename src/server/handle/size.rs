//! Permits for the bytes of requests that are in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Handle;
pub(crate) use super::share::ByteShare;
use crate::config::Limits;
use crate::server::error::Error;
use crate::server::handle::bounds::try_acquire;

/// Unit in which sizes are counted, in bytes. A semaphore counts in 32 bits, so a number of bytes
/// would not fit.
pub(super) const SIZE_UNIT: usize = 1024;

/// Step in which the permit of a body grows, in units.
const GROWTH_UNITS: usize = 64;

/// Part of the bound on submissions that actions have in addition to it: one eighth.
const ACTION_PART: usize = 8;

/// Size up to which a write has a share of its own, in units.
const SMALL_UNITS: usize = 64;

/// The bounds, in units of [`SIZE_UNIT`].
pub(super) struct SizeBounds {
    submissions: Arc<Semaphore>,
    max_submissions: usize,
    actions: Arc<Semaphore>,
    /// For small writes, as large as that of actions. No body takes any of it, so that neither large writes
    /// nor bodies that are still arriving keep a small job from being submitted or finished.
    small_writes: Arc<Semaphore>,
}

impl SizeBounds {
    pub(super) fn new(limits: &Limits) -> Self {
        let units = limits.max_write_bytes_in_flight.div_ceil(SIZE_UNIT);
        let part = units.div_ceil(ACTION_PART);
        Self {
            submissions: Arc::new(Semaphore::new(units)),
            max_submissions: units,
            actions: Arc::new(Semaphore::new(part)),
            small_writes: Arc::new(Semaphore::new(part.max(SMALL_UNITS))),
        }
    }

    /// Takes a permit. A request that is larger than the whole bound takes all of it, so that it can
    /// still pass alone.
    fn take(
        &self,
        share: ByteShare,
        units: usize,
    ) -> Result<(OwnedSemaphorePermit, ByteShare), Error> {
        if share == ByteShare::Actions
            && let Ok(permit) = try_acquire(&self.actions, units)
        {
            return Ok((permit, ByteShare::Actions));
        }
        let permit = try_acquire(&self.submissions, units.min(self.max_submissions))?;
        Ok((permit, ByteShare::Submissions))
    }

    /// Takes a permit for a write, whose bytes are all there.
    fn take_for_write(
        &self,
        share: ByteShare,
        units: usize,
    ) -> Result<OwnedSemaphorePermit, Error> {
        if units <= SMALL_UNITS
            && let Ok(permit) = try_acquire(&self.small_writes, units)
        {
            return Ok(permit);
        }
        self.take(share, units).map(|(permit, _)| permit)
    }
}

/// A permit for the bytes of one request. It can grow while they arrive.
pub(crate) struct SizePermit {
    share: ByteShare,
    units: usize,
    of_submissions: Option<OwnedSemaphorePermit>,
    of_actions: Option<OwnedSemaphorePermit>,
    /// Permit of the API key of the request.
    of_key: Option<OwnedSemaphorePermit>,
}

impl SizePermit {
    /// Returns a permit for nothing.
    pub(crate) fn new(share: ByteShare) -> Self {
        Self { share, units: 0, of_submissions: None, of_actions: None, of_key: None }
    }

    /// Returns what the request is counted against.
    pub(crate) fn share(&self) -> ByteShare {
        self.share
    }

    /// Extends the permit to this number of bytes.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there is no room. The permit stays as it is then.
    pub(crate) fn grow(&mut self, handle: &Handle, bytes: usize) -> Result<(), Error> {
        let missing = bytes.div_ceil(SIZE_UNIT).saturating_sub(self.units);
        if missing == 0 {
            return Ok(());
        }
        let more = missing.next_multiple_of(GROWTH_UNITS);
        let of_key = match handle.key_usage() {
            Some(usage) => Some(usage.size_permit(more * SIZE_UNIT).ok_or_else(too_many_bytes)?),
            None => None,
        };
        let (permit, share) = handle.inner.bounds.sizes.take(self.share, more)?;
        match (&mut self.of_key, of_key) {
            (Some(held), Some(permit)) => held.merge(permit),
            (held, permit) => *held = permit,
        }
        self.units += more;
        let held = match share {
            ByteShare::Submissions => &mut self.of_submissions,
            ByteShare::Actions => &mut self.of_actions,
        };
        match held {
            Some(held) => held.merge(permit),
            None => *held = Some(permit),
        }
        Ok(())
    }
}

fn too_many_bytes() -> Error {
    let detail = "the key has as many bytes of request bodies in flight as its limit allows";
    Error::KeyLimit(detail.into())
}

impl Handle {
    /// Takes a permit for a write of this size.
    pub(super) fn write_size_permit(
        &self,
        share: ByteShare,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, Error> {
        self.inner.bounds.sizes.take_for_write(share, (bytes / SIZE_UNIT).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_a_share_that_submissions_cannot_take() {
        let limits = Limits { max_write_bytes_in_flight: 80 * SIZE_UNIT, ..Limits::default() };
        let sizes = SizeBounds::new(&limits);
        let all = sizes.take(ByteShare::Submissions, 1_000).unwrap();
        assert!(sizes.take(ByteShare::Submissions, 1).is_err());
        let (own, share) = sizes.take(ByteShare::Actions, 10).unwrap();
        assert_eq!(share, ByteShare::Actions);
        assert!(sizes.take(ByteShare::Actions, 1).is_err());
        drop(all);
        let (_more, share) = sizes.take(ByteShare::Actions, 1).unwrap();
        assert_eq!(share, ByteShare::Submissions);
        drop(own);
    }

    #[test]
    fn small_writes_have_a_share_that_nothing_large_can_take() {
        let limits = Limits { max_write_bytes_in_flight: 1_024 * SIZE_UNIT, ..Limits::default() };
        let sizes = SizeBounds::new(&limits);
        let _submissions = sizes.take(ByteShare::Submissions, 1_024).unwrap();
        let _actions = sizes.take(ByteShare::Actions, 128).unwrap();
        for share in [ByteShare::Submissions, ByteShare::Actions] {
            assert!(sizes.take_for_write(share, SMALL_UNITS + 1).is_err());
            assert!(sizes.take_for_write(share, SMALL_UNITS).is_ok());
        }
        let _small = [0; 2].map(|_| sizes.take_for_write(ByteShare::Actions, SMALL_UNITS).unwrap());
        assert!(sizes.take_for_write(ByteShare::Actions, 1).is_err());
    }
}
