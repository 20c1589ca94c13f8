//! The server of the model: a table on disk, what it has in memory, and what it does with them.

use longshore::job::epoch::Epoch;
use longshore::job::outcome::Outcome;
use longshore::job::{JobError, State, Timestamp};

use super::row::{Finish, Grant, Report, Row, Taken};
use super::variant::Variant;

/// When a copy is made, and when it is restored.
const COPIED_AT_MS: i64 = 1;
const RESTORED_AT_MS: i64 = 2;

/// The server and its disk. It runs while it has a memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Server {
    disk: Vec<Row>,
    memory: Option<Vec<Row>>,
    /// The smallest token of this epoch.
    token_floor: i64,
}

impl Server {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self { memory: Some(rows.clone()), disk: rows, token_floor: 0 }
    }

    pub(super) fn is_up(&self) -> bool {
        self.memory.is_some()
    }

    /// The jobs as whoever asks would see them.
    pub(super) fn rows(&self) -> &[Row] {
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
                Variant::TakesLeasesBackAtStart => self.take_back(job, &lost()),
                Variant::KeepsExpiryInMemory => {
                    self.write(job, |row| row.is_watched = false);
                }
                _ => {}
            }
        }
    }

    pub(super) fn copy(&self) -> Vec<Row> {
        self.disk.clone()
    }

    /// Starts with an older copy: with tokens above all that were ever given, and without the leases
    /// that the copy has, whose holders may have gone on since.
    pub(super) fn restore(&mut self, copy: Vec<Row>, variant: Variant) {
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
            self.take_back(job, &lost());
        }
    }

    /// Changes a row in memory and on disk.
    fn write<T>(&mut self, job: usize, change: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let memory = self.memory.as_mut()?;
        let given = change(&mut memory[job]);
        self.disk[job] = memory[job].clone();
        Some(given)
    }

    /// Changes a row in memory and forgets to store it.
    fn forget<T>(&mut self, job: usize, change: impl FnOnce(&mut Row) -> T) -> Option<T> {
        self.memory.as_mut().map(|memory| change(&mut memory[job]))
    }

    /// Leases a job that is queued to whoever asks.
    pub(super) fn lease(
        &mut self,
        job: usize,
        worker: u8,
        serial: u8,
        variant: Variant,
    ) -> Option<Grant> {
        let floor = self.token_floor;
        let lease = |row: &mut Row| {
            let last = row.accepted.last();
            let is_finished = last.is_some_and(|(last, report)| {
                last + 1 == serial && !matches!(report, Report::Release | Report::NotBegun)
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
        if variant == Variant::RescuesByClocksOfWorkers {
            self.take_back(job, &lost());
        }
        if self.rows()[job].state != State::Queued {
            return None;
        }
        let token = match variant {
            Variant::KeepsLeasesInMemory => self.forget(job, lease),
            _ => self.write(job, lease),
        };
        token.map(|token| Grant { worker, job, token, serial })
    }

    pub(super) fn finish(&mut self, finish: &Finish, variant: Variant) -> Option<Taken> {
        let floor = self.token_floor;
        let take = |row: &mut Row| {
            if let (Variant::StoresResultsFirst, Report::Complete(value)) = (variant, finish.report)
            {
                row.result = Some(value);
            }
            if row.may_finish(&finish.grant, variant) {
                row.settle(&finish.report.outcome());
                row.accepted.push((finish.grant.serial, finish.report));
                if row.state.is_final() {
                    row.ended_by.get_or_insert(finish.report);
                }
                Taken::Accepted
            } else if row.is_repeat(finish, floor, variant) {
                Taken::Repeated
            } else {
                Taken::Stale
            }
        };
        match variant {
            Variant::AnswersBeforeTheDisk => self.forget(finish.grant.job, take),
            _ => self.write(finish.grant.job, take),
        }
    }

    pub(super) fn renew(&mut self, grant: &Grant, variant: Variant) -> Option<bool> {
        let holds = |row: &Row| variant == Variant::RenewsForAnybody || row.token == grant.token;
        self.write(grant.job, |row| {
            let renews = row.state == State::Running && holds(row);
            row.is_over &= !renews;
            renews
        })
    }

    /// Time passes, for the server that runs and for one that does not.
    pub(super) fn run_out(&mut self, job: usize) {
        for rows in self.memory.iter_mut().chain([&mut self.disk]) {
            rows[job].is_over |= rows[job].state == State::Running;
        }
    }

    /// Takes back a job whose lease has run out: its worker is gone, or the attempt has had all the
    /// time that it may have.
    pub(super) fn rescue(&mut self, job: usize, is_timeout: bool, variant: Variant) {
        let row = &self.rows()[job];
        if !row.is_over || !row.is_watched {
            return;
        }
        let at_most_once = row.at_most_once;
        if variant == Variant::RescuesWhatMayRunOnce {
            self.write(job, |row| row.at_most_once = false);
        }
        let timeout = || Outcome::retryable("timeout", "it took too long");
        self.take_back(job, &if is_timeout { timeout() } else { lost() });
        self.write(job, |row| row.at_most_once = at_most_once);
    }

    pub(super) fn take_back(&mut self, job: usize, outcome: &Outcome) {
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
            let waits = matches!(row.state, State::Scheduled | State::Queued | State::Running);
            if waits || row.at_most_once && row.attempt > 0 {
                return;
            }
            row.enter(State::Queued);
            row.max_attempts = row.max_attempts.max(row.attempt + 1);
            row.result = None;
            row.ended_by = None;
            row.life += 1;
            row.ends = 0;
            if variant == Variant::RetriesWithNewTokens {
                row.token = 0;
            }
        });
    }
}

fn lost() -> Outcome {
    Outcome::Lost(JobError::new("lost", "its worker let the lease run out"))
}
