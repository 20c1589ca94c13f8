//! The Worker: runs one attempt at a time and reports its outcome to the Writer.
//!
//! The steps: find the executor of the kind, start the attempt, relay its progress and log lines
//! while it runs, turn whatever happens into an [`Outcome`], report that. A worker owns the attempt
//! that it runs, and its thread for blocking handlers. It promises exactly one outcome for each job
//! it is given, whether the attempt returns, panics, is stopped or passes its deadline. The last log
//! lines of an attempt are written before its outcome.

pub(crate) mod blocking;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use futures_util::FutureExt;

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::message::{Commit, Reply, Run, Stop};
use crate::actor::vital::Vital;
use crate::actor::worker::blocking::Blocking;
use crate::actor::writer::inbox::WriterHandle;
use crate::executor::{Context as JobContext, Control, Executor, Registry, panic_outcome};
use crate::job::Lane;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::store::{Finish, Holder, JobLocation, LogLines, Write};

/// Minimum time between two writes of progress and log lines.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

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
    current: Option<(Lease, Control)>,
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

    fn run(&mut self, job: LeasedJob, ctx: &mut Context<Self>) {
        let Some(executor) = self.registry.executor(&job.kind) else {
            let message = format!("this server does not run jobs of kind {}", job.kind);
            let outcome = Outcome::retryable("unknown_kind", message);
            return self.report_outcome(&job, outcome);
        };
        let (context, control) = self.registry.new_context(&job);
        self.current = Some((job.lease, control.clone()));
        let writer = self.writer.clone();
        let blocking = (executor.lane() == Lane::Thread).then(|| self.thread());
        let lease = job.lease;
        let payload = job.payload.clone();
        let attempt = async move {
            let attempt = async {
                match blocking {
                    Some(thread) => thread.run(executor, payload, context).await,
                    None => run_caught(executor, payload, context).await,
                }
            };
            tokio::select! {
                biased;
                outcome = attempt => outcome,
                never = relay_reports(lease, &control, &writer) => match never {},
            }
        };
        ctx.spawn(attempt.into_actor(self).map(move |outcome, worker, _| {
            if let Some((lease, control)) = worker.current.take() {
                // The last reports must be written before the outcome ends the lease.
                write_reports(lease, &control, &worker.writer);
            }
            worker.report_outcome(&job, outcome);
        }));
    }

    fn thread(&mut self) -> Blocking {
        let start = || Blocking::start(Arc::clone(&self.abandoned));
        self.blocking.get_or_insert_with(start).clone()
    }

    fn report_outcome(&self, job: &LeasedJob, outcome: Outcome) {
        let (lease, holder, location) = (job.lease, Holder::Local, Some(JobLocation::of(job)));
        let started_at = Some(job.started_at);
        let write = Write::Finish(Finish { lease, outcome, holder, location, started_at });
        let reply = Reply::Worker { lease: job.lease, queue: job.queue.clone(), lane: job.lane };
        if !self.writer.commit(Commit { write, reply }) {
            self.vital.raise("the writer is gone");
        }
    }

    fn stop(&self, stop: &Stop) {
        if let Some((lease, control)) = &self.current
            && *lease == stop.lease
        {
            control.stop(stop.reason);
        }
    }
}

/// Runs an attempt. A panic fails this attempt and nothing else.
async fn run_caught(executor: Executor, payload: crate::job::Json, context: JobContext) -> Outcome {
    let attempt = std::panic::AssertUnwindSafe(executor.run(payload, context));
    match attempt.catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => panic_outcome(&*panic),
    }
}

/// Writes progress and log lines of the attempt as they are reported, at most once per
/// [`REPORT_INTERVAL`]. Never returns.
async fn relay_reports(lease: Lease, control: &Control, writer: &WriterHandle) -> Infallible {
    loop {
        control.wait_for_reports().await;
        write_reports(lease, control, writer);
        tokio::time::sleep(REPORT_INTERVAL).await;
    }
}

/// Writes the progress and log lines that the attempt has reported since the last call.
fn write_reports(lease: Lease, control: &Control, writer: &WriterHandle) {
    let (progress, log) = control.take_reports();
    let progress = progress.map(|progress| Write::Report(lease, progress));
    let has_log = !log.is_empty();
    let log = has_log.then_some(Write::Log(LogLines { lease, holder: Holder::Local, log }));
    for write in progress.into_iter().chain(log) {
        // If the Writer is gone, the server is ending anyway.
        writer.commit(Commit { write, reply: Reply::Discard });
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
        self.stop(&stop);
    }
}
