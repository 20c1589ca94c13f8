//! Runs one job at a time: decode, run, turn what happens into an outcome, report.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use futures_util::FutureExt;

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::blocking::Blocking;
use crate::actor::inbox::WriterHandle;
use crate::actor::message::{Commit, Reply, Run, Stop};
use crate::actor::vital::Vital;
use crate::executor::{Context as JobContext, Control, Executor, Registry, panic_outcome};
use crate::job::Lane;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::store::{Finish, Holder, JobLocation, LogLines, Write};

/// The shortest time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// A worker of any local lane. Many share a thread.
pub(crate) struct Worker {
    registry: Arc<Registry>,
    writer: WriterHandle,
    /// Its thread for blocking handlers, from the first one on. By the handler and not by the lane
    /// of the job, which may have been submitted when the handler was of the other sort.
    blocking: Option<Blocking>,
    /// How many threads all workers together have left behind.
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
            let message = format!("this server runs no jobs of kind {}", job.kind);
            let outcome = Outcome::retryable("unknown_kind", message);
            return self.report(&job, outcome);
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
                never = report(lease, &control, &writer) => match never {},
            }
        };
        ctx.spawn(attempt.into_actor(self).map(move |outcome, worker, _| {
            if let Some((lease, control)) = worker.current.take() {
                // What it told last comes before its end.
                pass_on(lease, &control, &worker.writer);
            }
            worker.report(&job, outcome);
        }));
    }

    fn thread(&mut self) -> Blocking {
        let start = || Blocking::start(Arc::clone(&self.abandoned));
        self.blocking.get_or_insert_with(start).clone()
    }

    fn report(&self, job: &LeasedJob, outcome: Outcome) {
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

/// Runs an attempt; a panic of ours fails that attempt and nothing else.
async fn run_caught(executor: Executor, payload: crate::job::Json, context: JobContext) -> Outcome {
    let attempt = std::panic::AssertUnwindSafe(executor.run(payload, context));
    match attempt.catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => panic_outcome(&*panic),
    }
}

enum Never {}

/// Writes down what the attempt tells of itself, not too often.
async fn report(lease: Lease, control: &Control, writer: &WriterHandle) -> Never {
    loop {
        control.wait_for_reports().await;
        pass_on(lease, control, writer);
        tokio::time::sleep(REPORT_INTERVAL).await;
    }
}

/// Has written down what the attempt has told by now.
fn pass_on(lease: Lease, control: &Control, writer: &WriterHandle) {
    let (progress, log) = control.take_reports();
    let progress = progress.map(|progress| Write::Report(lease, progress));
    let is_said = !log.is_empty();
    let said = is_said.then_some(Write::Log(LogLines { lease, holder: Holder::Local, log }));
    for write in progress.into_iter().chain(said) {
        // Where the Writer is gone the server ends anyway.
        writer.commit(Commit { write, reply: Reply::Nobody });
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
