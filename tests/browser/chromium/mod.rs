//! A page in a Chromium that is driven by WebDriver, and the checks that run on it.
//!
//! Test programs of other folders include this module with `#[path]`.

#![allow(dead_code, reason = "each program uses a part of it")]

pub(crate) mod axe;
pub(crate) mod driver;
pub(crate) mod host;
pub(crate) mod page;
mod page_checks;
