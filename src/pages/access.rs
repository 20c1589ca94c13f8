//! Access: signing in and out, what a user may do, and the page of the keys.

pub(super) mod keys;
pub(super) mod permissions;
pub(super) mod session;
