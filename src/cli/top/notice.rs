//! A message in the footer that disappears after some seconds.

/// A message in the footer about a recent action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// Text of the message.
    pub(super) text: String,
    /// Whether the message is an error.
    pub(super) is_error: bool,
    /// Number of further snapshots for which the message is shown.
    snapshots_left: u8,
}

/// Number of snapshots for which a notice is shown, which is some seconds.
const NOTICE_SNAPSHOTS: u8 = 5;

impl Notice {
    pub(super) fn new(text: impl Into<String>, is_error: bool) -> Self {
        Self { text: text.into(), is_error, snapshots_left: NOTICE_SNAPSHOTS }
    }

    /// Returns the notice after one more snapshot, or `None` if it is no longer shown.
    pub(super) fn after_snapshot(self) -> Option<Self> {
        let snapshots_left = self.snapshots_left.checked_sub(1)?;
        Some(Self { snapshots_left, ..self })
    }
}
