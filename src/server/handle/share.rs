//! The shares of the bounds on large requests.

/// What the bytes of a request are counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteShare {
    /// The bound on submissions, `max_write_bytes_in_flight`.
    Submissions,
    /// A bound of its own for reports of remote workers, bulk actions and small forms, so that large
    /// submissions never keep a job from being finished. Past it, the bound on submissions.
    Actions,
}
