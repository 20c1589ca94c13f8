//! Threads for blocking handlers, each with one `SyncArbiter` so that it can be left behind.
//!
//! A thread cannot be stopped from outside. Where a handler does not return though its attempt is
//! to stop, the attempt ends without it: its thread is abandoned to itself and another takes its
//! place, until too many have been.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Handler, Message, SyncArbiter, SyncContext};

use crate::executor::{Context, Executor};
use crate::job::Json;
use crate::job::outcome::Outcome;

/// How long a handler may go on after it was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How many threads may be abandoned at once; past it a worker waits for its handler.
const MAX_ABANDONED: usize = 64;

/// A thread that runs one blocking handler after another.
struct Thread;

impl Actor for Thread {
    type Context = SyncContext<Self>;
}

/// To a thread: run this handler.
#[derive(Message)]
#[rtype(result = "Outcome")]
struct Call {
    executor: Executor,
    payload: Json,
    context: Context,
}

impl Handler<Call> for Thread {
    type Result = actix::MessageResult<Call>;

    fn handle(&mut self, call: Call, _: &mut Self::Context) -> Self::Result {
        actix::MessageResult(call.executor.run_blocking(call.payload, &call.context))
    }
}

/// The thread of one worker. Clones are the same.
#[derive(Clone)]
pub(crate) struct Blocking {
    thread: Rc<RefCell<Addr<Thread>>>,
    abandoned: Arc<AtomicUsize>,
}

impl Blocking {
    /// Starts a thread. `abandoned` counts those of all workers that were left behind.
    pub(crate) fn start(abandoned: Arc<AtomicUsize>) -> Self {
        Self { thread: Rc::new(RefCell::new(new_thread())), abandoned }
    }

    /// Runs a handler on the thread, and leaves the thread where it does not stop when told to.
    pub(crate) async fn run(self, executor: Executor, payload: Json, context: Context) -> Outcome {
        context.start_clock(context.timeout());
        let call = Call { executor, payload, context: context.clone() };
        let answer = self.thread.borrow().send(call);
        let mut answer = Box::pin(answer);
        let reason = tokio::select! {
            biased;
            outcome = &mut answer => return outcome.unwrap_or_else(|_| thread_died()),
            reason = context.stopped() => reason,
        };
        let own_end = tokio::time::timeout(STOP_GRACE, &mut answer).await;
        if let Ok(outcome) = own_end {
            return outcome.unwrap_or_else(|_| thread_died());
        }
        if self.abandoned.fetch_add(1, Ordering::SeqCst) < MAX_ABANDONED {
            tracing::warn!(job = %context.job(), "a blocking handler does not stop; its thread is left behind");
            *self.thread.borrow_mut() = new_thread();
            let abandoned = self.abandoned;
            actix_rt::spawn(async move {
                let _ = answer.await;
                abandoned.fetch_sub(1, Ordering::SeqCst);
            });
        } else {
            self.abandoned.fetch_sub(1, Ordering::SeqCst);
            tracing::error!(job = %context.job(), "too many threads are left behind; a worker waits for its handler");
            let _ = answer.await;
        }
        reason.outcome(context.timeout())
    }
}

fn new_thread() -> Addr<Thread> {
    SyncArbiter::start(1, || Thread)
}

fn thread_died() -> Outcome {
    Outcome::retryable("panic", "the thread of the handler died")
}
