//! Tests of the pages in a real browser, and of `top` in a real terminal.
//!
//! They need Debian's `chromium`, `chromium-driver` and `tmux`; `tests/run` installs them. Each test
//! starts its own browser and ends with [`page::Page::assert_clean`]. The module [`axe`] describes
//! `axe.min.js`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a failing test panics and prints what it has seen"
)]

mod all_pages;
mod axe;
mod batches;
mod demo;
mod driver;
mod harness;
mod hostile;
mod interruptions;
mod job;
mod jobs;
#[path = "../kit/mod.rs"]
mod kit;
mod metrics;
mod overview;
mod page;
mod page_checks;
mod sample_server;
mod screenshots;
mod submit;
mod terminal;
mod top;
