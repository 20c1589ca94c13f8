//! The bound on small bodies of which a part has arrived and the rest is waited for.
//!
//! A small body takes no permit, because most of them arrive at once. Thousands of connections that each send
//! 60 kB and then pause would hold hundreds of megabytes all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::Limits;
use crate::server::error::Error;

/// Number of bytes of each body that do not count, so that a tiny request is never refused.
pub(crate) const FREE_BYTES: usize = 4 << 10;

/// Part of the bound on submissions that small unfinished bodies may have in addition to it.
const PART: usize = 4;

/// The total size of small bodies that are waited for.
pub(crate) struct LightBodies {
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// What one body counts, until it is dropped.
#[derive(Default)]
pub(crate) struct LightBody(Option<(Arc<AtomicUsize>, usize)>);

impl LightBodies {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { bytes: Arc::default(), max_bytes: limits.max_write_bytes_in_flight / PART }
    }

    /// Counts a body of which this many bytes have arrived, and whose next piece must be waited for.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there is no room for it.
    pub(crate) fn count(&self, body: &mut LightBody, bytes: usize) -> Result<(), Error> {
        let counted = body.0.as_ref().map_or(0, |(_, counted)| *counted);
        let more = bytes.saturating_sub(FREE_BYTES).saturating_sub(counted);
        if more == 0 {
            return Ok(());
        }
        let (_, counted) = body.0.get_or_insert_with(|| (Arc::clone(&self.bytes), 0));
        *counted += more;
        let before = self.bytes.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.max_bytes { Err(Error::Overloaded) } else { Ok(()) }
    }
}

impl Drop for LightBody {
    fn drop(&mut self) {
        if let Some((total, counted)) = &self.0 {
            total.fetch_sub(*counted, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_count_beyond_their_first_bytes_until_they_are_dropped() {
        let bodies = LightBodies { bytes: Arc::default(), max_bytes: 10_000 };
        let (mut one, mut other, mut tiny) =
            (LightBody::default(), LightBody::default(), LightBody::default());
        assert!(bodies.count(&mut one, FREE_BYTES + 6_000).is_ok());
        assert!(bodies.count(&mut other, FREE_BYTES + 4_000).is_ok());
        assert!(bodies.count(&mut one, FREE_BYTES + 6_001).is_err());
        assert!(bodies.count(&mut tiny, FREE_BYTES).is_ok());
        drop(one);
        assert!(bodies.count(&mut tiny, FREE_BYTES + 6_000).is_ok());
        drop((other, tiny));
        assert_eq!(bodies.bytes.load(Ordering::Relaxed), 0);
    }
}
