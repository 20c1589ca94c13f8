//! The pages in a real browser, and `top` in a real terminal.
//!
//! It takes Debian's `chromium`, `chromium-driver` and `tmux`; `tests/run` installs them. Each test has a
//! browser of its own and ends with [`page::Page::assert_clean`]. `axe.min.js` is told of in [`axe`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it has seen"
)]

mod axe;
mod batches;
mod clean;
mod demo;
mod driver;
mod everywhere;
mod hostile;
mod hour;
mod job;
mod jobs;
#[path = "../kit/mod.rs"]
mod kit;
mod kit_itself;
mod left;
mod overview;
mod page;
mod scenery;
mod screenshots;
mod submit;
mod terminal;
mod top;
