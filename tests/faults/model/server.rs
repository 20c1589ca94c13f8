//! The server of the model: its table on disk, its memory, and its operations.

use longshore::job::epoch::Epoch;
use longshore::job::outcome::Outcome;
use longshore::job::{JobError, State, Timestamp};

use super::job_row::{Finish, FinishAnswer, Grant, JobRow, Report};
use super::variant::Variant;

/// Time at which a copy is made.
const COPIED_AT_MS: i64 = 1;
/// Time at which a copy is restored.
const RESTORED_AT_MS: i64 = 2;

/// Server and its disk. The server is running while `memory` is set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ModelServer {
    disk: Vec<JobRow>,
    memory: Option<Vec<JobRow>>,
    /// Smallest token of the current epoch.
    token_floor: i64,
}

impl ModelServer {
    pub(super) fn new(rows: Vec<JobRow>) -> Self {
        Self { memory: Some(rows.clone()), disk: rows, token_floor: 0 }
    }

    pub(super) fn is_up(&self) -> bool {
        self.memory.is_some()
    }

    /// Returns the jobs as a read would return them.
    pub(super) fn rows(&self) -> &[JobRow] {
        self.memory.as_ref().unwrap_or(&self.disk)
    }

    pub(super) fn crash(&mut self) {
        self.memory = None;
    }

    pub(super) fn start(&mut self, variant: Variant) {
        if self.is_up() {
            return;
        }
        self.memory = Some(self.disk.clone());
        for job in 0..self.disk.len() {
            match variant {
                Variant::RescuesEveryLeaseAtStart => self.end_lease(job, &lost()),
                Variant::KeepsExpiryInMemory => {
                    self.write(job, |row| row.is_expiry_known = false);
                }
                _ => {}
            }
        }
    }

    pub(super) fn copy(&self) -> Vec<JobRow> {
        self.disk.clone()
    }

    /// Starts with a restored copy.
    ///
    /// A new epoch makes every new token higher than all earlier ones. The leases in the copy end,
    /// because their workers may have continued since the copy was made.
    pub(super) fn restore(&mut self, copy: Vec<JobRow>, variant: Variant) {
        self.disk = copy;
        self.memory = Some(self.disk.clone());
        if variant == Variant::RestoresWithoutNewEpoch {
            return;
        }
        let before = Epoch {
            token_floor: self.token_floor,
            copied_at: Some(Timestamp::from_millis(COPIED_AT_MS)),
        };
        let largest = self.disk.iter().map(|row| row.token).max().unwrap_or(0);
        self.token_floor = before.next(largest, Timestamp::from_millis(RESTORED_AT_MS)).token_floor;
        for job in 0..self.disk.len() {
            self.end_lease(job, &lost());
        }
    }

    /// Changes a row in memory and on disk.
    fn write<T>(&mut self, job: usize, change: impl FnOnce(&mut JobRow) -> T) -> Option<T> {
        let memory = self.memory.as_mut()?;
        let returned = change(&mut memory[job]);
        self.disk[job] = memory[job].clone();
        Some(returned)
    }

    /// Changes a row in memory and not on disk, as some broken variants do.
    fn write_memory_only<T>(
        &mut self,
        job: usize,
        change: impl FnOnce(&mut JobRow) -> T,
    ) -> Option<T> {
        self.memory.as_mut().map(|memory| change(&mut memory[job]))
    }

    /// Leases a queued job to a worker.
    pub(super) fn lease(
        &mut self,
        job: usize,
        worker: u8,
        serial: u8,
        variant: Variant,
    ) -> Option<Grant> {
        let floor = self.token_floor;
        let lease = |row: &mut JobRow| {
            let last = row.accepted.last();
            let is_finished = last.is_some_and(|(last, report)| {
                last + 1 == serial && !matches!(report, Report::Release | Report::NotStarted)
            });
            row.attempt += 1;
            row.token = match variant {
                Variant::ComparesAttempts => row.attempt.into(),
                Variant::RaisesTokensAfterFinishesOnly if !is_finished => row.token.max(1),
                _ => (row.token + 1).max(floor),
            };
            row.enter(State::Running);
            row.holder = Some(serial);
            row.token
        };
        if variant == Variant::RescuesByWorkerClocks {
            self.end_lease(job, &lost());
        }
        if self.rows()[job].state != State::Queued {
            return None;
        }
        let token = match variant {
            Variant::KeepsLeasesInMemory => self.write_memory_only(job, lease),
            _ => self.write(job, lease),
        };
        token.map(|token| Grant { worker, job, token, serial })
    }

    pub(super) fn finish(&mut self, finish: &Finish, variant: Variant) -> Option<FinishAnswer> {
        let floor = self.token_floor;
        let take = |row: &mut JobRow| {
            if let (Variant::StoresResultsFirst, Report::Complete(value)) = (variant, finish.report)
            {
                row.result = Some(value);
            }
            if row.accepts_finish(&finish.grant, variant) {
                row.settle(&finish.report.outcome());
                row.accepted.push((finish.grant.serial, finish.report));
                if row.state.is_final() {
                    row.ended_by.get_or_insert(finish.report);
                }
                FinishAnswer::Accepted
            } else if row.is_repeat(finish, floor, variant) {
                FinishAnswer::Repeated
            } else {
                FinishAnswer::Stale
            }
        };
        match variant {
            Variant::AnswersBeforeCommit => self.write_memory_only(finish.grant.job, take),
            _ => self.write(finish.grant.job, take),
        }
    }

    pub(super) fn renew(&mut self, grant: &Grant, variant: Variant) -> Option<bool> {
        let holds =
            |row: &JobRow| variant == Variant::RenewsForAnyWorker || row.token == grant.token;
        self.write(grant.job, |row| {
            let renews = row.state == State::Running && holds(row);
            row.is_expired &= !renews;
            renews
        })
    }

    /// Lets the lease of a job expire, whether the server is running or not.
    pub(super) fn expire(&mut self, job: usize) {
        for rows in self.memory.iter_mut().chain([&mut self.disk]) {
            rows[job].is_expired |= rows[job].state == State::Running;
        }
    }

    /// Rescues a job whose lease has expired, because its worker is gone or its attempt has exceeded
    /// its timeout.
    pub(super) fn rescue(&mut self, job: usize, is_timeout: bool, variant: Variant) {
        let row = &self.rows()[job];
        if !row.is_expired || !row.is_expiry_known {
            return;
        }
        let at_most_once = row.at_most_once;
        if variant == Variant::RescuesAtMostOnceJobs {
            self.write(job, |row| row.at_most_once = false);
        }
        let timeout = || Outcome::retryable("timeout", "it took too long");
        self.end_lease(job, &if is_timeout { timeout() } else { lost() });
        self.write(job, |row| row.at_most_once = at_most_once);
    }

    /// Ends the lease of a running job with an outcome.
    pub(super) fn end_lease(&mut self, job: usize, outcome: &Outcome) {
        self.write(job, |row| {
            if row.state == State::Running {
                row.settle(outcome);
            }
        });
    }

    /// Queues a job whose next attempt is due.
    pub(super) fn stage(&mut self, job: usize) {
        self.write(job, |row| {
            if row.state == State::Retrying {
                row.enter(State::Queued);
            }
        });
    }

    pub(super) fn cancel(&mut self, job: usize) {
        self.write(job, |row| match row.state {
            State::Scheduled | State::Queued | State::Retrying => row.enter(State::Cancelled),
            State::Running => row.cancel_requested = true,
            State::Completed | State::Failed | State::Cancelled => {}
        });
    }

    /// Retries a job by hand.
    pub(super) fn retry(&mut self, job: usize, variant: Variant) {
        self.write(job, |row| {
            let is_live = matches!(row.state, State::Scheduled | State::Queued | State::Running);
            if is_live || row.at_most_once && row.attempt > 0 {
                return;
            }
            row.enter(State::Queued);
            row.max_attempts = row.max_attempts.max(row.attempt + 1);
            row.result = None;
            row.ended_by = None;
            row.manual_retries += 1;
            row.ends = 0;
            if variant == Variant::ResetsTokensOnRetry {
                row.token = 0;
            }
        });
    }
}

fn lost() -> Outcome {
    Outcome::Lost(JobError::new("lost", "its worker let the lease expire"))
}
