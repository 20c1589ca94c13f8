//! How a refusal is shown to the user of a browser.

use crate::auth::viewer::Viewer;

/// Renders a refusal as a page. The pages add it to the application; the HTTP layer uses it for what it refuses
/// before a page is reached, and without it answers as the API does.
#[derive(Clone, Copy)]
pub(crate) struct RefusalPage(pub(crate) fn(Viewer, u16, &str) -> PageText);

/// The text of a page, and the headers that belong to it.
pub(crate) struct PageText {
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) html: String,
}
