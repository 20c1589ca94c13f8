//! Events: what clients that wait or subscribe learn about the changes of jobs.
//!
//! After each commit group the Writer passes its effects to the [`publisher`], which counts them in
//! the [`shared_recorder`] and, if a client is registered, sends them to the [`announcer`]. The
//! Announcer wakes the clients. A subscriber to all jobs has a [`feed`], and remote workers have
//! [`lease_watches`]. The Announcer also writes the [`failure_log`].

pub(crate) mod announcer;
pub(crate) mod failure_log;
pub(crate) mod feed;
pub(crate) mod lease_watches;
pub(crate) mod publisher;
pub(crate) mod shared_recorder;
