//! Threads for blocking handlers, each a `SyncArbiter` of one thread, so that it can be abandoned.
//!
//! A thread cannot be stopped from outside. If a handler does not return although its attempt
//! must stop, the attempt ends without it: the worker abandons the thread and continues with a
//! new one. Once [`MAX_ABANDONED`] threads are abandoned at the same time, a worker waits for its
//! handler instead. A handler that has not returned [`HANDLER_STOP_GRACE`] after its attempt was stopped
//! counts as stuck.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Handler, MailboxError, Message, SyncArbiter, SyncContext};

use crate::actor::worker::attempt_end::AttemptEnd;
use crate::executor::{Context, Executor};
use crate::job::Json;
use crate::job::outcome::Outcome;

/// Time that a handler has to return after its attempt was stopped.
const HANDLER_STOP_GRACE: Duration = Duration::from_secs(2);

/// Maximum number of abandoned threads whose handlers have not returned yet, over all workers.
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

/// The thread of one worker. Clones share the same thread.
#[derive(Clone)]
pub(super) struct Blocking {
    thread: Rc<RefCell<Addr<Thread>>>,
    abandoned: Arc<AtomicUsize>,
}

impl Blocking {
    /// Starts a thread. `abandoned` counts the abandoned threads of all workers.
    pub(super) fn start(abandoned: Arc<AtomicUsize>) -> Self {
        Self { thread: Rc::new(RefCell::new(new_thread())), abandoned }
    }

    /// Runs a handler on the thread. Abandons the thread if the handler does not return in time after
    /// its attempt was stopped.
    pub(super) async fn run(
        self,
        executor: Executor,
        payload: Json,
        context: Context,
    ) -> AttemptEnd {
        context.start_clock(context.timeout());
        let call = Call { executor, payload, context: context.clone() };
        let answer = self.thread.borrow().send(call);
        let mut answer = Box::pin(answer);
        let reason = tokio::select! {
            biased;
            // An answer that is already there is read below.
            reason = context.stopped() => reason,
            outcome = &mut answer => return end_of(outcome),
        };
        let late_answer = tokio::time::timeout(HANDLER_STOP_GRACE, &mut answer).await;
        if let Ok(outcome) = late_answer {
            return end_of(outcome);
        }
        if self.abandoned.fetch_add(1, Ordering::SeqCst) < MAX_ABANDONED {
            tracing::warn!(job = %context.job(), "a blocking handler does not stop; its thread is abandoned");
            *self.thread.borrow_mut() = new_thread();
            let abandoned = self.abandoned;
            actix_rt::spawn(async move {
                let _ = answer.await;
                abandoned.fetch_sub(1, Ordering::SeqCst);
            });
        } else {
            self.abandoned.fetch_sub(1, Ordering::SeqCst);
            tracing::error!(job = %context.job(), "a blocking handler does not stop, and too many threads are abandoned already; its worker waits for it");
            let _ = answer.await;
        }
        AttemptEnd::StuckAfterStop(reason)
    }
}

fn new_thread() -> Addr<Thread> {
    SyncArbiter::start(1, || Thread)
}

/// Returns the end of an attempt whose thread has answered or died.
fn end_of(outcome: Result<Outcome, MailboxError>) -> AttemptEnd {
    outcome.map_or(AttemptEnd::ThreadDied, AttemptEnd::Returned)
}
