//! Forms: reading what a browser sends, and the actions behind buttons.

pub(super) mod actions;
pub(super) mod fields;
pub(super) mod form;
pub(super) mod form_token;
pub(super) mod limits;
