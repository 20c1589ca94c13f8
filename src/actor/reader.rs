//! The Reader: reads committed rows on its own connection and thread.
//!
//! A Reader owns one read connection. There are two Readers: one for single rows and one for lists,
//! so that a long list does not delay a status request. It sees every write whose caller was
//! answered before the read was sent.
//!
//! Readers are normal actors with an arbiter each, and not `SyncArbiter`s, because those route every
//! message through the thread of the actix system.

use actix::{Actor, Context, Handler};

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::message::{
    CheckpointLog, FindPrunable, GetBatch, GetJob, GetJobSummaries, GetJobUpdate, GetLog, GetQueue,
    GetTimeBuckets, ListBatches, ListDeepestQueues, ListJobs, ListQueues, ListRecentFailures,
};
use crate::actor::vital::Vital;
use crate::clock::Clock;
use crate::job::batch::Batch;
use crate::job::queue::Queue;
use crate::job::{Job, Log, Timestamp};
use crate::metrics::counters::Counters;
use crate::store::{
    BatchPage, Checkpoint, JobPage, JobUpdate, Prunable, QueueSubset, ReadStore, StoreError,
};

/// The Reader: one read connection and the clock for queries that depend on the time.
pub(crate) struct Reader {
    store: Box<dyn ReadStore>,
    clock: Clock,
    _vital: Vital,
}

impl Reader {
    pub(crate) fn new(store: Box<dyn ReadStore>, clock: Clock, vital: Vital) -> Self {
        Self { store, clock, _vital: vital }
    }
}

impl Actor for Reader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl Handler<GetJob> for Reader {
    type Result = Result<Option<Job>, StoreError>;

    fn handle(&mut self, GetJob(id): GetJob, _: &mut Self::Context) -> Self::Result {
        self.store.job(id)
    }
}

impl Handler<GetLog> for Reader {
    type Result = Result<Option<Log>, StoreError>;

    fn handle(&mut self, GetLog(id, after): GetLog, _: &mut Self::Context) -> Self::Result {
        self.store.log(id, after)
    }
}

impl Handler<GetJobUpdate> for Reader {
    type Result = Result<Option<JobUpdate>, StoreError>;

    fn handle(
        &mut self,
        GetJobUpdate(id, after): GetJobUpdate,
        _: &mut Self::Context,
    ) -> Self::Result {
        self.store.job_update(id, after)
    }
}

impl Handler<GetJobSummaries> for Reader {
    type Result = Result<Vec<Job>, StoreError>;

    fn handle(
        &mut self,
        GetJobSummaries(ids): GetJobSummaries,
        _: &mut Self::Context,
    ) -> Self::Result {
        self.store.job_summaries(&ids)
    }
}

impl Handler<GetTimeBuckets> for Reader {
    type Result = Result<Vec<(Timestamp, Counters)>, StoreError>;

    fn handle(&mut self, get: GetTimeBuckets, _: &mut Self::Context) -> Self::Result {
        self.store.time_buckets(get.queue.as_ref(), get.range)
    }
}

impl Handler<ListRecentFailures> for Reader {
    type Result = Result<Vec<Job>, StoreError>;

    fn handle(
        &mut self,
        ListRecentFailures(limit): ListRecentFailures,
        _: &mut Self::Context,
    ) -> Self::Result {
        self.store.recent_failures(limit)
    }
}

impl Handler<ListJobs> for Reader {
    type Result = Result<JobPage, StoreError>;

    fn handle(&mut self, ListJobs(filter): ListJobs, _: &mut Self::Context) -> Self::Result {
        self.store.jobs(&filter)
    }
}

impl Handler<GetBatch> for Reader {
    type Result = Result<Option<Batch>, StoreError>;

    fn handle(&mut self, GetBatch(id): GetBatch, _: &mut Self::Context) -> Self::Result {
        self.store.batch(id)
    }
}

impl Handler<ListBatches> for Reader {
    type Result = Result<BatchPage, StoreError>;

    fn handle(&mut self, list: ListBatches, _: &mut Self::Context) -> Self::Result {
        self.store.batches(list.limit, list.before)
    }
}

impl Handler<ListQueues> for Reader {
    type Result = Result<Vec<Queue>, StoreError>;

    fn handle(&mut self, _: ListQueues, _: &mut Self::Context) -> Self::Result {
        self.store.queues(self.clock.now())
    }
}

impl Handler<ListDeepestQueues> for Reader {
    type Result = Result<QueueSubset, StoreError>;

    fn handle(
        &mut self,
        ListDeepestQueues(max): ListDeepestQueues,
        _: &mut Self::Context,
    ) -> Self::Result {
        self.store.deepest_queues(max, self.clock.now())
    }
}

impl Handler<GetQueue> for Reader {
    type Result = Result<Option<Queue>, StoreError>;

    fn handle(&mut self, GetQueue(name): GetQueue, _: &mut Self::Context) -> Self::Result {
        self.store.queue(&name, self.clock.now())
    }
}

impl Handler<FindPrunable> for Reader {
    type Result = Result<Prunable, StoreError>;

    fn handle(&mut self, find: FindPrunable, _: &mut Self::Context) -> Self::Result {
        self.store.prunable(find.after, find.finished_before)
    }
}

impl Handler<CheckpointLog> for Reader {
    type Result = Result<Checkpoint, StoreError>;

    fn handle(&mut self, _: CheckpointLog, _: &mut Self::Context) -> Self::Result {
        self.store.checkpoint()
    }
}
