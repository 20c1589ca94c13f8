//! Commands that print help for shells and manual readers.

pub(super) mod completions;
pub(super) mod man;
