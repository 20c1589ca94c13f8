//! Handlers, programs and remote workers that fail.

mod handler;
mod program;
pub(crate) mod python;
