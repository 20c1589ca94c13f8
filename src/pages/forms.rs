//! Forms: reads what a browser sends, and protects against forms that are sent twice.

pub(super) mod fields;
pub(super) mod form;
pub(super) mod form_token;
pub(super) mod limits;
pub(super) mod origin;
