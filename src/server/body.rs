//! Receives the body of a request: bounded in size, in time, and in memory together with all others.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::server::handle::light_bodies::LightBody;
use crate::server::handle::size::{ByteShare, SizePermit};

/// Bodies up to this size take no permit. Those that are waited for are bounded together, see
/// [`LightBodies`](crate::server::handle::light_bodies::LightBodies).
const LIGHT_BYTES: usize = 64 << 10;

/// Time after which a body must have arrived at [`MIN_BYTES_PER_SEC`].
const SLOW_START: Duration = Duration::from_secs(10);

/// Least number of bytes of a body that must arrive in a second.
const MIN_BYTES_PER_SEC: usize = 16 << 10;

/// Bounds of one body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyBounds {
    /// Maximum size, in bytes.
    pub(crate) max_bytes: usize,
    /// Maximum time until the whole body has arrived.
    pub(crate) timeout: Duration,
    /// What the body is counted against.
    pub(crate) share: ByteShare,
}

/// A complete body, with the permit for its size.
pub(crate) struct ReceivedBody {
    pub(crate) bytes: Bytes,
    pub(crate) permit: SizePermit,
}

/// Reason why a body was not received.
#[derive(Debug)]
pub(crate) enum BodyError<E> {
    /// It is larger than allowed.
    TooLarge,
    /// It did not arrive in time; the text says which time.
    TooSlow(String),
    /// There is no memory for it at the moment.
    Overloaded(Error),
    /// The connection failed, or the encoding of the body is not valid.
    Broken(E),
}

/// Receives a body.
///
/// A body that arrives in one piece is not copied: allocating a buffer for each small body would cost
/// more than everything else that is done with it.
pub(crate) async fn receive<E>(
    handle: &Handle,
    pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    bounds: BodyBounds,
) -> Result<ReceivedBody, BodyError<E>> {
    let mut arrival = Arrival {
        pieces,
        bounds,
        started: None,
        received: 0,
        light: LightBody::default(),
        permit: SizePermit::new(bounds.share),
    };
    let bytes = match arrival.next(handle).await? {
        Some(first) => match arrival.next(handle).await? {
            Some(second) => {
                let mut whole = BytesMut::from(first);
                whole.extend_from_slice(&second);
                while let Some(piece) = arrival.next(handle).await? {
                    whole.extend_from_slice(&piece);
                }
                whole.freeze()
            }
            None => first,
        },
        None => Bytes::new(),
    };
    Ok(ReceivedBody { bytes, permit: arrival.permit })
}

/// A body that is arriving.
struct Arrival<S> {
    pieces: S,
    bounds: BodyBounds,
    /// Time at which the body was first waited for.
    started: Option<Instant>,
    /// Number of bytes that have arrived.
    received: usize,
    /// What they count while the body is small and waited for.
    light: LightBody,
    /// Permit for them. It grows with them, so that a body counts only when it is there.
    permit: SizePermit,
}

impl<E, S: Stream<Item = Result<Bytes, E>> + Unpin> Arrival<S> {
    /// Returns the next piece, or `None` at the end of the body.
    async fn next(&mut self, handle: &Handle) -> Result<Option<Bytes>, BodyError<E>> {
        let next = match self.pieces.next().now_or_never() {
            // No timer is needed for what is there already.
            Some(next) => next,
            None => {
                if self.received <= LIGHT_BYTES {
                    let counted = handle.light_bodies().count(&mut self.light, self.received);
                    counted.map_err(BodyError::Overloaded)?;
                }
                let started = *self.started.get_or_insert_with(Instant::now);
                let deadline = started + time_allowed(self.received, self.bounds.timeout);
                let next = timeout_at(deadline, self.pieces.next()).await;
                next.map_err(|_elapsed| self.too_slow())?
            }
        };
        let Some(piece) = next.transpose().map_err(BodyError::Broken)? else { return Ok(None) };
        self.received += piece.len();
        if self.received > self.bounds.max_bytes {
            return Err(BodyError::TooLarge);
        }
        if self.received > LIGHT_BYTES {
            self.permit.grow(handle, self.received).map_err(BodyError::Overloaded)?;
        }
        Ok(Some(piece))
    }

    fn too_slow(&self) -> BodyError<E> {
        let timeout = self.bounds.timeout;
        BodyError::TooSlow(match time_allowed(self.received, timeout) < timeout {
            true => format!(
                "the body arrived too slowly: after {} s it must arrive with at least {} KiB/s",
                SLOW_START.as_secs(),
                MIN_BYTES_PER_SEC >> 10
            ),
            false => format!("the body did not arrive within {} s", timeout.as_secs()),
        })
    }
}

/// Returns the time in which the next piece must arrive, counted from the start, if this number of
/// bytes has arrived.
fn time_allowed(received: usize, timeout: Duration) -> Duration {
    let secs = received as f64 / MIN_BYTES_PER_SEC as f64;
    (SLOW_START + Duration::from_secs_f64(secs)).min(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gets_ten_seconds_and_one_more_for_each_16_kib() {
        let allowed = |received| time_allowed(received, Duration::from_secs(60)).as_secs_f64();
        assert_eq!(allowed(0), 10.0);
        assert_eq!(allowed(8 << 10), 10.5);
        assert_eq!(allowed(160 << 10), 20.0);
        assert_eq!(allowed(32 << 20), 60.0);
    }
}
