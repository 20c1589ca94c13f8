//! Tests of the pages, one file for each page, and of the rules that hold for all of them.

mod all_pages;
mod batches;
mod demo;
pub(crate) mod hostile;
mod interruptions;
mod job;
mod jobs;
mod keys;
mod overview;
mod providers;
mod submit;
