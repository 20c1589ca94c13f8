//! Handling of a transaction that failed.

use actix::{AsyncContext, Context};

use crate::actor::message::{Commit, Reply, WriteError};
use crate::actor::writer::group::Group;
use crate::actor::writer::retry_buffer::RetryBuffer;
use crate::actor::writer::{RETRY_PAUSE, Writer};
use crate::store::{StoreError, Write};

impl Writer {
    /// Handles a transaction of which nothing was written: callers and waiting workers get the error,
    /// and writes that must not be lost are retried.
    ///
    /// These are outcomes, log lines, releases of jobs that remote workers never received, and
    /// renewals, without which the leases of running jobs would expire. If the group had submissions,
    /// all its other writes are retried at once, because submissions need most of the disk space and
    /// the others may fit without them. Until writing works again, a [`Write::Probe`] tries it every
    /// [`RETRY_PAUSE`], because a server that is not ready gets no submissions that would show it.
    ///
    /// If the group left some of the retry buffer, the writes that wait in the inbox are handled like those
    /// of the group, because some may only be written after all of the retry buffer.
    pub(super) fn retry_later(
        &mut self,
        group: Group,
        (error, answer): (&StoreError, WriteError),
        ctx: &mut Context<Self>,
    ) {
        if self.inbox.write_health().fail(&answer) {
            tracing::error!(state = "unwritable", %error, "nothing can be written: submissions are refused until writing works again");
        }
        let answered = self.lease_replies.answer_all(&Err(answer.clone()));
        self.remove_waiting_workers(&answered);
        let has_submissions = group.has_submissions();
        let tried = group.into_commits();
        let left = self.retry_buffer.take();
        let waiting = if left.is_empty() { Vec::new() } else { self.inbox.take() };
        // The retry buffer stays in order: what was tried comes before what was left.
        for commit in tried.into_iter().chain(left).chain(waiting) {
            let may_fit = has_submissions && commit.write.submission().is_none();
            self.retry_or_refuse(commit, may_fit, &answer);
        }
        if has_submissions && !self.retry_buffer.is_empty() {
            self.flush_soon(ctx);
        }
        if self.retry_timer.is_none() {
            self.retry_timer = Some(ctx.run_later(RETRY_PAUSE, |writer, ctx| {
                writer.retry_timer = None;
                let probe = Commit { write: Write::Probe, reply: Reply::Discard };
                writer.retry_buffer.push(probe);
                writer.flush_soon(ctx);
            }));
        }
    }

    /// Handles one write of a transaction of which nothing was written. `may_fit` is whether it may fit
    /// on the disk without the submissions of its group.
    fn retry_or_refuse(&mut self, commit: Commit, may_fit: bool, answer: &WriteError) {
        match commit {
            // The next plan orders the leases again.
            Commit { reply: Reply::Lease { .. }, .. } => {}
            Commit { reply: Reply::Worker { .. }, .. } => self.retry_buffer.push(commit),
            commit if may_fit => self.retry_buffer.push(commit),
            Commit { reply: Reply::Caller { reply, .. }, .. } => {
                let _ = reply.send(Err(answer.clone()));
            }
            commit if RetryBuffer::must_not_be_lost(&commit.write) => {
                self.retry_buffer.push(commit);
            }
            Commit { reply: Reply::Discard, .. } => {}
        }
    }

    /// Handles a transaction whose result is unknown: answers all callers with `Unknown`, and ends the
    /// server.
    pub(super) fn fail(&mut self, group: Group, error: &StoreError) {
        self.has_failed = true;
        group.into_commits().into_iter().for_each(|commit| commit.reply.answer_unknown());
        self.lease_replies.answer_all(&Err(WriteError::Unknown));
        self.vital.raise(&error.to_string());
    }
}
