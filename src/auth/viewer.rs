//! The viewer of a page.

use crate::auth::api_key::KeyName;
use crate::auth::principal::Principal;

/// For whom a page is made.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// On whose behalf the page is requested.
    pub(crate) principal: Principal,
    /// Name of the key with which the user has signed in; `None` if no key is needed or the user has not.
    pub(crate) key_name: Option<KeyName>,
}
