//! Leases of remote workers: waiting for jobs, going on with them, ending them.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::actor::callers::release;
use crate::actor::inbox::ToWriter;
use crate::actor::message::{Commit, Join, Leave, Polled, Reply};
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;
use crate::job::remote::{Action, CheckedCall, Heard, LeaseCall, Told, Verb};
use crate::job::roster::{Poll, PollId};
use crate::job::{JobId, State, Timestamp};
use crate::server::error::Error;
use crate::server::handle::{Handle, MAX_WAIT};
use crate::server::submit::check_each;
use crate::store::{Answer, Finish, Finished, Holder, LogLines, Refusal, Renew, Write};

/// Numbers those who wait. They rise, so that who came first is served first.
static NEXT_POLL: AtomicU64 = AtomicU64::new(1);

/// What a remote worker's action on a lease gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acted {
    /// The lease holds until then.
    Renewed {
        /// When it runs out.
        lease_expires_at: Timestamp,
        /// Whether the job is to stop.
        cancel: bool,
    },
    /// The job moved on.
    Finished {
        /// Where it stands now.
        state: State,
        /// Whether its result was cut to `max_result_bytes`.
        result_truncated: bool,
    },
    /// It is the same finish as before; nothing changed.
    Repeated,
}

impl Handle {
    /// Leases jobs for a remote worker; waits until there is one, as long as the call says. Nothing
    /// is not an error.
    ///
    /// Dropping the future gives back what it would have got.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the call may not be, [`Error::Draining`] where the server is about
    /// to stop, [`Error::Overloaded`] where as many wait as may.
    pub async fn lease(&self, call: LeaseCall) -> Result<Vec<LeasedJob>, Error> {
        let call = call.check(self.config().lease, MAX_WAIT).map_err(Error::Invalid)?;
        if !self.is_ready() {
            return Err(Error::Draining);
        }
        let wait = call.wait;
        let mut place = self.join(call)?;
        tokio::select! {
            biased;
            polled = &mut place.jobs => place.settled(polled),
            // Who does not want to wait is told at once.
            () = tokio::time::sleep(wait), if !wait.is_zero() => place.leave(),
            () = self.stopped() => place.leave(),
        }
    }

    fn join(&self, call: CheckedCall) -> Result<Place, Error> {
        let CheckedCall { filter, limit, lease, wait, worker } = call;
        let permit = self.wait_permit()?;
        let id = PollId(NEXT_POLL.fetch_add(1, Ordering::Relaxed));
        let (tell_back, jobs) = oneshot::channel();
        let writer = self.writer().clone();
        let place = Place { id, jobs, writer, is_over: false, _permit: permit };
        let poll = Poll { id, filter, limit };
        let join = Join { poll, is_patient: !wait.is_zero(), lease, worker, tell: tell_back };
        if self.writer().tell(join) { Ok(place) } else { Err(Error::Stopped) }
    }

    /// Goes on with a leased job, or ends it, as its worker says.
    ///
    /// # Errors
    /// [`Error::Invalid`] where what it says may not be, [`Error::Refused`] where the lease is no
    /// longer held.
    pub async fn act(&self, job: JobId, verb: Verb, told: Told) -> Result<(Lease, Acted), Error> {
        let most = self.config().limits.max_result_bytes;
        let heard = told.of_one(job, verb, most).map_err(Error::Invalid)?;
        let (lease, bytes, is_cut) = (heard.lease, weight(&heard), is_cut(&heard));
        let answer = self.write(write_of(heard), bytes).await?;
        Ok((lease, acted(answer, is_cut).map_err(Error::Refused)?))
    }

    /// Does many such actions in one transaction, each taken or refused by itself, in their order.
    ///
    /// # Errors
    /// Where none of them was written: [`Error::Invalid`] where one may not be, its pointer
    /// beginning with its number, from 0.
    pub async fn act_all(
        &self,
        told: Vec<Told>,
    ) -> Result<Vec<(Lease, Result<Acted, Refusal>)>, Error> {
        let heard = self.check_actions(told)?;
        let bytes = heard.iter().map(weight).sum();
        let leases: Vec<(Lease, bool)> =
            heard.iter().map(|heard| (heard.lease, is_cut(heard))).collect();
        let writes = heard.into_iter().map(write_of);
        match self.write(Write::Each(writes.collect()), bytes).await? {
            Answer::Each(answers) => {
                let both = leases.into_iter().zip(answers);
                let acted = |((lease, is_cut), answer): (_, Result<Answer, Refusal>)| {
                    (lease, answer.and_then(|answer| acted(answer, is_cut)))
                };
                Ok(both.map(acted).collect())
            }
            _ => Err(Error::Unknown),
        }
    }

    fn check_actions(&self, told: Vec<Told>) -> Result<Vec<Heard>, Error> {
        let limits = &self.config().limits;
        let most = limits.max_jobs_per_request;
        if !(1..=most).contains(&told.len()) {
            let why = format!("has 1 to {most} leases; this has {}", told.len());
            return Err(Error::Invalid(vec![Problem::new("", why)]));
        }
        check_each(told, "", |told| told.of_many(limits.max_result_bytes))
    }
}

fn write_of(Heard { lease, action, log }: Heard) -> Write {
    let holder = Holder::Remote;
    let write = match action {
        Action::Renew { lease: span, progress } => {
            Write::Renew(Renew { leases: vec![lease], lease: span, holder, progress })
        }
        Action::Finish(outcome) => {
            Write::Finish(Finish { lease, outcome, holder, place: None, started_at: None })
        }
    };
    if log.is_empty() {
        return write;
    }
    // What it said comes before what it did, which may end the lease.
    Write::Each(vec![Write::Log(LogLines { lease, holder, log }), write])
}

fn weight(heard: &Heard) -> usize {
    let result = match &heard.action {
        Action::Finish(Outcome::Completed(result)) => result.json.as_str().len(),
        _ => 0,
    };
    result + heard.log.text.len()
}

fn is_cut(heard: &Heard) -> bool {
    matches!(&heard.action, Action::Finish(Outcome::Completed(result)) if result.truncated)
}

fn acted(answer: Answer, result_truncated: bool) -> Result<Acted, Refusal> {
    match answer {
        Answer::Each(mut answers) => {
            acted(answers.pop().unwrap_or(Err(Refusal::StaleLease))?, result_truncated)
        }
        Answer::Finished(Finished::Accepted(state)) => {
            Ok(Acted::Finished { state, result_truncated })
        }
        Answer::Finished(Finished::Repeated) => Ok(Acted::Repeated),
        Answer::Renewed(renewed) => {
            let (_, lease_expires_at) = *renewed.held.first().ok_or(Refusal::StaleLease)?;
            Ok(Acted::Renewed { lease_expires_at, cancel: !renewed.cancelled.is_empty() })
        }
        _ => Err(Refusal::StaleLease),
    }
}

/// A remote worker's place among those who wait. What comes when nobody is there to take it goes
/// back.
struct Place {
    id: PollId,
    jobs: oneshot::Receiver<Polled>,
    writer: ToWriter,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn settled(
        &mut self,
        polled: Result<Polled, oneshot::error::RecvError>,
    ) -> Result<Vec<LeasedJob>, Error> {
        self.is_over = true;
        match polled {
            Ok(polled) => polled.map_err(Error::from),
            Err(_) => Err(Error::Stopped),
        }
    }

    /// Ends the wait. Jobs may have come just now.
    fn leave(&mut self) -> Result<Vec<LeasedJob>, Error> {
        self.jobs.close();
        match self.jobs.try_recv() {
            Ok(polled) => self.settled(Ok(polled)),
            Err(_) => Ok(Vec::new()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.jobs.close();
        match self.jobs.try_recv() {
            Ok(Ok(jobs)) if !jobs.is_empty() => {
                let write = release(jobs.iter().map(|job| job.lease));
                self.writer.commit(Commit { write, reply: Reply::Nobody });
            }
            Ok(_) => {}
            Err(_) => {
                self.writer.tell(Leave(self.id));
            }
        }
    }
}
