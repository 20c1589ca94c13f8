//! Callers that may only use some queues: all others do not exist for them.

mod owners;
mod reads;
mod writes;

use super::Store;

use longshore::auth::access::QueueAccess;
use longshore::job::{BatchId, NewJob};
use longshore::store::{NewBatch, Submit, Write};

use crate::kit::{job_in_queue, submitted};

/// Returns the access of these patterns.
fn access(patterns: &[&str]) -> QueueAccess {
    let patterns: Vec<_> = patterns.iter().map(|text| text.parse().unwrap()).collect();
    QueueAccess::of(&patterns)
}

fn within(patterns: &[&str], write: Write) -> Write {
    Write::Within(access(patterns), Box::new(write))
}

/// Submits a batch with a job in each of these queues.
fn submit_batch(store: &mut Store, queues: &[&str]) -> BatchId {
    let jobs: Vec<NewJob> = queues.iter().map(|queue| job_in_queue(queue)).collect();
    let batch = Some(NewBatch::default());
    let write = Write::Submit(Submit { jobs: jobs.into(), key: None, batch });
    submitted(store.write(write)).batch.unwrap().id
}
