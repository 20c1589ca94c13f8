//! Tests of the pages in a real browser, and of `top` in a real terminal.
//!
//! They need Debian's `chromium`, `chromium-driver` and `tmux`; `tests/run` installs them. Each test
//! starts its own browser and ends with [`chromium::page::Page::assert_clean`]. The module
//! [`chromium::axe`] describes `axe.min.js`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a failing test panics and prints what it has seen"
)]

mod chromium;
mod harness;
#[path = "../kit/mod.rs"]
mod kit;
mod metrics;
mod pages;
mod sample_server;
mod screenshots;
mod terminal;
mod top;
