//! Doing one thing to many jobs.

use std::collections::HashMap;

use crate::job::JobId;
use crate::job::problem::Problem;
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::{Answer, Refusal, Write};

/// To how many jobs a thing is done at once: they share one transaction, and others wait for it.
pub const MAX_BULK_ACTIONS: usize = 1_000;

/// What can be done to many jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAction {
    /// As [`Handle::cancel`].
    Cancel,
    /// As [`Handle::retry`].
    Retry,
    /// As [`Handle::delete`].
    Delete,
}

impl JobAction {
    fn write(self, job: JobId) -> Write {
        match self {
            Self::Cancel => Write::Cancel(job),
            Self::Retry => Write::Retry(job),
            Self::Delete => Write::Delete(job),
        }
    }
}

impl Handle {
    /// Does one thing to many jobs in one transaction, each done or refused by itself. The answers
    /// come in the order of `ids`.
    ///
    /// # Errors
    /// Where it was done to none: [`Error::Invalid`] where there is no job among `ids`, more than
    /// [`MAX_BULK_ACTIONS`], or one twice; pointers begin with its number, from 0.
    pub async fn apply_to_all(
        &self,
        deed: JobAction,
        ids: Vec<JobId>,
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        check(&ids).map_err(Error::Invalid)?;
        let bytes = ids.len() * size_of::<Write>();
        let writes = ids.into_iter().map(|job| deed.write(job)).collect();
        match self.write(Write::Each(writes), bytes).await? {
            Answer::Each(answers) => {
                Ok(answers.into_iter().map(|answer| answer.map(drop)).collect())
            }
            _ => Err(Error::Unknown),
        }
    }
}

/// One that stands twice is refused: the second answer would tell what the first has done.
fn check(ids: &[JobId]) -> Result<(), Vec<Problem>> {
    if !(1..=MAX_BULK_ACTIONS).contains(&ids.len()) {
        let why = format!("has 1 to {MAX_BULK_ACTIONS} ids; this has {}", ids.len());
        return Err(vec![Problem::new("", why)]);
    }
    let mut places = HashMap::with_capacity(ids.len());
    let mut problems = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        if let Some(first) = places.insert(id, place) {
            let why = format!("is {id}, which stands at {first} already");
            problems.push(Problem::new(format!("/{place}"), why));
            places.insert(id, first);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
