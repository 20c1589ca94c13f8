//! The status of a provider after a commit group.

use crate::job::ProviderName;
use crate::job::limit::Room;
use crate::job::limit::provider::{ProviderEvent, ProviderPause};

/// How many more calls of a provider may start, and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStatus {
    /// Name of the provider.
    pub name: ProviderName,
    /// How many more calls may start, and why not more.
    pub room: Room,
    /// What happened to it in the group.
    pub event: Option<ProviderEvent>,
    /// Its latest pause, until it has recovered.
    pub pause: Option<ProviderPause>,
}
