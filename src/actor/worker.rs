//! The Worker: runs one attempt at a time and reports its outcome to the Writer.
//!
//! Every attempt takes the same steps, in this order:
//!
//! | step | function | what it does |
//! | --- | --- | --- |
//! | decode | [`Worker::decode`] | finds the executor of the job's kind |
//! | start | [`Worker::start`] | creates the context of the attempt, and from now on accepts stop requests |
//! | run | [`Attempt::run_under_deadline`] | runs the executor until it returns, panics, is stopped or passes its deadline |
//! | watch | [`Watch::until_ended`] | meanwhile writes progress and log lines |
//! | classify | [`AttemptEnd::classify`] | turns the [`AttemptEnd`], whichever it is, into an [`Outcome`] |
//! | report | [`Worker::report`] | writes the last log lines, then the outcome |
//!
//! A worker owns the attempt that it runs, and its thread for blocking handlers. It promises exactly
//! one outcome for each job it is given, whether the attempt returns, panics, is stopped or passes its
//! deadline. The last log lines of an attempt are written before its outcome.

mod attempt;
mod attempt_end;
mod blocking;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::message::{Commit, Reply, Run, Stop};
use crate::actor::vital::Vital;
use crate::actor::worker::attempt::Attempt;
use crate::actor::worker::attempt_end::AttemptEnd;
use crate::actor::worker::blocking::Blocking;
use crate::actor::worker::watch::Watch;
use crate::actor::writer::inbox::WriterHandle;
use crate::executor::{Executor, Registry};
use crate::job::Lane;
use crate::job::lease::LeasedJob;
use crate::job::outcome::Outcome;
use crate::store::{Finish, Holder, JobLocation, Write};

/// A worker of a local lane. Many workers share a thread.
pub(crate) struct Worker {
    registry: Arc<Registry>,
    writer: WriterHandle,
    /// Thread for blocking handlers, started with the first one. Whether it is used depends on the
    /// handler and not on the job's lane, because the job may have been submitted when its kind had
    /// an async handler.
    blocking: Option<Blocking>,
    /// Number of threads that all workers together have abandoned.
    abandoned: Arc<AtomicUsize>,
    /// The attempt that runs.
    current: Option<Watch>,
    vital: Vital,
}

impl Worker {
    pub(crate) fn new(
        registry: Arc<Registry>,
        writer: WriterHandle,
        abandoned: Arc<AtomicUsize>,
        vital: Vital,
    ) -> Self {
        Self { registry, writer, blocking: None, abandoned, current: None, vital }
    }

    /// Runs a job, step by step. See the module documentation.
    fn run(&mut self, job: LeasedJob, ctx: &mut Context<Self>) {
        let Some(executor) = self.decode(&job) else {
            return self.report(&job, AttemptEnd::UnknownKind.classify(&job));
        };
        let (attempt, watch) = self.start(&job, executor);
        let ended = watch.until_ended(attempt.run_under_deadline());
        ctx.spawn(ended.into_actor(self).map(move |end, worker, _| {
            let outcome = end.classify(&job);
            worker.report(&job, outcome);
        }));
    }

    /// Returns the executor of the job's kind, which decodes the payload when it runs.
    fn decode(&self, job: &LeasedJob) -> Option<Executor> {
        self.registry.executor(&job.kind)
    }

    /// Creates the attempt, which can be stopped from now on.
    fn start(&mut self, job: &LeasedJob, executor: Executor) -> (Attempt, Watch) {
        let (context, control) = self.registry.new_context(job);
        let watch = Watch { lease: job.lease, control, writer: self.writer.clone() };
        self.current = Some(watch.clone());
        let thread = (executor.lane() == Lane::Thread).then(|| self.thread());
        (Attempt { executor, payload: job.payload.clone(), context, thread }, watch)
    }

    fn thread(&mut self) -> Blocking {
        let start = || Blocking::start(Arc::clone(&self.abandoned));
        self.blocking.get_or_insert_with(start).clone()
    }

    /// Writes the last reports of the attempt and then its outcome, which ends the lease.
    fn report(&mut self, job: &LeasedJob, outcome: Outcome) {
        if let Some(watch) = self.current.take() {
            watch.write_reports();
        }
        let (lease, holder, location) = (job.lease, Holder::Local, Some(JobLocation::of(job)));
        let started_at = Some(job.started_at);
        let write = Write::Finish(Finish { lease, outcome, holder, location, started_at });
        let payload_bytes = job.payload.as_str().len();
        let (lease, queue, lane) = (job.lease, job.queue.clone(), job.lane);
        let reply = Reply::Worker { lease, queue, lane, payload_bytes, is_idle: false };
        if !self.writer.commit(Commit { write, reply }) {
            self.vital.raise("the writer is gone");
        }
    }
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl Handler<Run> for Worker {
    type Result = ();

    fn handle(&mut self, Run(job): Run, ctx: &mut Self::Context) {
        self.run(job, ctx);
    }
}

impl Handler<Stop> for Worker {
    type Result = ();

    fn handle(&mut self, stop: Stop, _: &mut Self::Context) {
        if let Some(watch) = &self.current {
            watch.stop(&stop);
        }
    }
}
