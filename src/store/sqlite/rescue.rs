//! Rescuing: jobs whose worker is gone come back.

use diesel::prelude::*;

use super::group::{Applied, Group};
use super::statement::statement;
use crate::job::lease::{Lease, LeaseToken};
use crate::job::outcome::Outcome;
use crate::job::{JobError, JobId, Span, Timestamp};
use crate::store::sql_types::{Integer, Nullable};
use crate::store::{Answer, MoveSummary, RescueScope};

statement! {
    /// With how long the attempt might have taken, where that is over as well. No executor here
    /// watches over the attempts of remote workers.
    ExpiredLeases -> (Integer, Integer, Nullable<Integer>) =
    "SELECT id, lease_token,
         CASE WHEN lane = 3 AND started_at + timeout_ms <= lease_expires_at THEN timeout_ms END
     FROM jobs WHERE state = 2 AND lease_expires_at <= " [by: Integer as i64]
    " ORDER BY lease_expires_at LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// `lease_expires_at > 0` holds for all and makes SQLite use the index on running jobs.
    DeadLeases -> (Integer, Integer, Nullable<Integer>) =
    "SELECT id, lease_token, NULL FROM jobs
     WHERE state = 2 AND lease_expires_at > 0
         AND (lane != 3 OR lease_token < " [token_floor: Integer as i64]
    ")   LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    NextLeaseEnd -> Nullable<Integer> =
    "SELECT min(lease_expires_at) FROM jobs WHERE state = 2"
}

impl Group<'_> {
    pub(super) fn rescue(&mut self, scope: RescueScope, limit: u32) -> Applied {
        let limit = limit.into();
        let (leases, why): (Vec<(i64, i64, Option<i64>)>, _) = match scope {
            RescueScope::Expired { by } => {
                let query = ExpiredLeases { by: by.min(self.now).millis(), limit };
                (query.load(self.connection)?, "its worker let the lease run out")
            }
            RescueScope::Dead => {
                self.repair_clock_skew()?;
                let query = DeadLeases { token_floor: self.token_floor, limit };
                (query.load(self.connection)?, "the server ended while it ran")
            }
        };
        let count = leases.len();
        let lost = Outcome::Lost(JobError::new("lost", why));
        for (job, token, timeout_ms) in leases {
            let late = timeout_ms.map(|millis| JobError::timed_out(Span::from_millis(millis)));
            let lease = Lease { job: JobId(job), token: LeaseToken(token) };
            self.settle(lease, late.map(Outcome::Lost).as_ref().unwrap_or(&lost), None)?;
        }
        let next_at: Option<i64> = NextLeaseEnd {}.get_result(self.connection)?;
        Ok(Answer::Moved(MoveSummary { count, next_at: next_at.map(Timestamp::from_millis) }))
    }
}
