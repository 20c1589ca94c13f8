//! A page in a Chromium that is driven by WebDriver, and the checks that run on it.

pub(crate) mod axe;
pub(crate) mod driver;
pub(crate) mod page;
mod page_checks;
