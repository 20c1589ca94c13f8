//! Delivery of the results of a commit group that is on disk.

use crate::actor::events::publisher::CommitEffects;
use crate::actor::message::{Commit, Dispatch, DueAt, Reply, WriteError};
use crate::actor::send_to;
use crate::actor::writer::Writer;
use crate::actor::writer::group::Group;
use crate::actor::writer::late_leases::{self, TransactionTimes};
use crate::actor::writer::{provider_log, roster_input};
use crate::job::Span;
use crate::roster::{LeaseOrder, LeaseResult};
use crate::store::{Answer, Committed, Leased, Refusal};

impl Writer {
    /// Delivers the results of a group, which is on disk.
    pub(super) fn deliver(&mut self, group: Group, committed: Committed) {
        let started_at = committed.at;
        let times = TransactionTimes { started_at, committed_at: self.clock.now() };
        let Committed { answers, changes, caused_from, reported, ended_batches, .. } = committed;
        let Committed { configured, providers, closed_batches, .. } = committed;
        for (queue, settings) in configured {
            self.roster.configure(&queue, settings);
        }
        for provider in &providers {
            self.roster.set_provider_room(&provider.name, provider.room);
            provider_log::log(provider);
        }
        roster_input::after_commit(&mut self.roster, &changes);
        self.publisher.record(&changes, started_at);
        let mut dispatch = Dispatch::default();
        for (reply, answer) in group.answered(answers) {
            self.deliver_answer(reply, answer, times, &mut dispatch);
        }
        // A lease of the group may have reported that its queue is empty, before these jobs were inserted.
        roster_input::after_leases(
            &mut self.roster,
            changes.get(caused_from..).unwrap_or_default(),
        );
        self.deliver_granted();
        let cancelled = dispatch.cancelled.clone();
        let effects =
            CommitEffects { changes: &changes, reported, ended_batches, closed_batches, cancelled };
        self.notify_peers(dispatch, effects);
    }

    /// Delivers the answer to one write to its recipient. What the Dispatcher must learn is added to
    /// `dispatch`.
    fn deliver_answer(
        &mut self,
        reply: Reply,
        answer: Result<Answer, Refusal>,
        times: TransactionTimes,
        dispatch: &mut Dispatch,
    ) {
        if let Ok(answer) = &answer {
            answer.note_cancelled(&mut dispatch.cancelled);
        }
        match (reply, answer) {
            (Reply::Caller { reply, permits }, answer) => {
                drop(permits);
                // The caller may have gone away; its write was applied all the same.
                let _ = reply.send(answer.map_err(WriteError::from));
            }
            (Reply::Worker { lease, .. }, answer) => {
                if let Err(refusal) = answer {
                    tracing::warn!(job = %lease.job, error = %refusal, "the outcome of an attempt was refused");
                }
                dispatch.ended.push(lease);
            }
            (Reply::Lease { order, duration }, answer) => {
                // Refused: the roster orders no more from this queue until it is ready again.
                let none = Leased::empty(&order);
                let leased = if let Ok(Answer::Leased(leased)) = answer { leased } else { none };
                self.deliver_leased(&order, duration, leased, times, dispatch);
            }
            (Reply::Discard, Err(refusal)) => {
                tracing::debug!(error = %refusal, "a write was refused")
            }
            (Reply::Discard, Ok(_)) => {}
        }
    }

    /// Records the result of a lease order, and passes its jobs on to their workers.
    fn deliver_leased(
        &mut self,
        order: &LeaseOrder,
        duration: Span,
        leased: Leased,
        times: TransactionTimes,
        dispatch: &mut Dispatch,
    ) {
        let Leased { mut jobs, is_empty, held, is_large_next, empty_providers } = leased;
        if let Some(renewal) = late_leases::renewal(&jobs, order.lane, duration, times) {
            self.retry_buffer.push(renewal);
        }
        let started = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
        let empty_providers = &empty_providers[..];
        let result = LeaseResult { started, is_empty, held, is_large_next, empty_providers };
        self.roster.record_lease(order, result, times.started_at);
        match order.waiting_worker {
            Some(waiting_worker) => self.lease_replies.grant(waiting_worker, jobs),
            None => {
                for job in &jobs {
                    self.roster.add_payload(&job.queue, job.payload.as_str().len());
                }
                dispatch.leased.append(&mut jobs);
            }
        }
    }

    /// Sends the leased jobs to their waiting workers; releases the jobs of workers that have left.
    fn deliver_granted(&mut self) {
        let (served, orphans) = self.lease_replies.deliver_granted();
        self.remove_waiting_workers(&served);
        if let Some(write) = orphans {
            self.retry_buffer.push(Commit { write, reply: Reply::Discard });
        }
    }

    /// Sends the effects of the group to the Dispatcher, the Keeper and the Announcer.
    fn notify_peers(&mut self, dispatch: Dispatch, effects: CommitEffects<'_>) {
        let Some(peers) = &self.peers else { return };
        let is_needed = !dispatch.ended.is_empty()
            || !dispatch.leased.is_empty()
            || !dispatch.cancelled.is_empty();
        let mut is_sent = !is_needed || send_to(&peers.dispatch, dispatch);
        if let Some(due_at) = effects.changes.iter().filter_map(|change| change.due_at).min() {
            is_sent &= send_to(&peers.due_at, DueAt(due_at));
        }
        is_sent &= self.publisher.announce(effects, &peers.announce);
        if !is_sent {
            self.vital.raise("a core actor is gone");
        }
    }
}
