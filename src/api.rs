//! The wire forms of the HTTP API: requests, responses, events, problems, and the table of routes.
//!
//! The HTTP API, the pages and the command line share these types, so that each form is defined
//! once. Forms that are values of a lower layer are defined there: [`Job`](crate::job::Job),
//! [`Submission`](crate::job::Submission), [`Log`](crate::job::Log),
//! [`Batch`](crate::job::batch::Batch), [`Queue`](crate::job::queue::Queue),
//! [`QueueChange`](crate::job::queue::QueueChange) and [`Stats`](crate::metrics::Stats).
//!
//! No IO and no clock, as in [`job`](crate::job).

pub mod batches;
pub mod bulk;
pub mod events;
pub mod health;
pub mod jobs;
pub mod keys;
pub mod kinds;
pub mod leases;
pub mod problem;
pub mod providers;
pub mod pruning;
pub mod queues;
pub mod routes;
pub mod tokens;

/// Forms about webhooks.
pub mod webhooks {
    pub mod deliveries;
    pub mod secrets;
}
