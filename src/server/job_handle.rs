//! Jobs of a typed kind: their submission, and the wait for their result.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::job::problem::Problem;
use crate::job::{Job, JobError, JobId, JobKind, State, Submission};
use crate::server::error::Error;
use crate::server::handle::Handle;

/// A job of the kind `K`, by its id. Cheap to clone.
pub struct JobHandle<K> {
    handle: Handle,
    id: JobId,
    kind: PhantomData<fn() -> K>,
}

/// A completed job and its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished<T> {
    /// Result of the job.
    pub output: T,
    /// The job in its final state.
    pub job: Job,
}

/// Reason why [`JobHandle::wait`] has no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WaitError {
    /// The job has not ended yet. Wait again.
    #[error("job {id} has not ended: it is {state}")]
    NotFinished {
        /// Id of the job.
        id: JobId,
        /// State of the job.
        state: State,
    },
    /// The job failed. [`Handle::retry`] queues it again.
    #[error("job {id} failed: {} ({})", error.message, error.code)]
    Failed {
        /// Id of the job.
        id: JobId,
        /// Error of the last attempt.
        error: JobError,
    },
    /// The job was cancelled or expired.
    #[error("job {id} was cancelled: {}", error.message)]
    Cancelled {
        /// Id of the job.
        id: JobId,
        /// Reason of the cancellation.
        error: JobError,
    },
    /// The job completed, but its result is truncated or does not have the type that its kind
    /// declares, as after that type was changed. [`JobHandle::job`] returns the job with the result.
    #[error("the result of job {id} cannot be decoded: {why}")]
    BadResult {
        /// Id of the job.
        id: JobId,
        /// Description of the problem.
        why: String,
    },
    /// The job could not be read or waited for.
    #[error(transparent)]
    Call(#[from] Error),
}

impl Handle {
    /// Submits one job of a typed kind. The job is on disk when this returns.
    ///
    /// # Errors
    /// The same as [`Handle::submit`].
    pub async fn submit_job<K: JobKind>(&self, payload: &K) -> Result<JobHandle<K>, Error> {
        let submission = Submission::of(payload)
            .map_err(|error| Error::Invalid(vec![Problem::new("/payload", error)]))?;
        self.submit_as(submission).await
    }

    /// Submits one job of a typed kind with options.
    ///
    /// ```no_run
    /// # use longshore::job::{JobKind, Span, Submission};
    /// # use longshore::server::Handle;
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct SendMail { to: String }
    /// # impl JobKind for SendMail {
    /// #     const KIND: &'static str = "send-mail";
    /// #     type Output = String;
    /// # }
    /// # async fn example(handle: Handle) -> Result<(), Box<dyn std::error::Error>> {
    /// let mail = SendMail { to: "ann@example.com".into() };
    /// let later = Submission { delay: Some(Span::from_secs(60)), ..Submission::of(&mail)? };
    /// let job = handle.submit_as::<SendMail>(later).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`Handle::submit`], and [`Error::Invalid`] if the submission is of another kind.
    pub async fn submit_as<K: JobKind>(
        &self,
        submission: Submission,
    ) -> Result<JobHandle<K>, Error> {
        if submission.kind != K::KIND {
            let why = format!("must be {}, but is {}", K::KIND, submission.kind);
            return Err(Error::Invalid(vec![Problem::new("/kind", why)]));
        }
        let job = self.submit(submission).await?;
        Ok(self.job_handle(job.id))
    }

    /// Returns the typed handle of a job that was submitted before. The job is not read.
    pub fn job_handle<K: JobKind>(&self, id: JobId) -> JobHandle<K> {
        JobHandle { handle: self.clone(), id, kind: PhantomData }
    }
}

impl<K: JobKind> JobHandle<K> {
    /// Returns the id of the job.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Returns the job in its current state.
    ///
    /// # Errors
    /// The same as [`Handle::job`].
    pub async fn job(&self) -> Result<Job, Error> {
        self.handle.job(self.id).await
    }

    /// Waits until the job is final, for at most `span` and at most
    /// [`MAX_WAIT`](crate::server::MAX_WAIT), and returns its result.
    ///
    /// # Errors
    /// Returns a [`WaitError`] if the job failed, was cancelled, did not end in time, has a result
    /// that cannot be decoded, or could not be read.
    pub async fn wait(&self, span: Duration) -> Result<Finished<K::Output>, WaitError> {
        let job = self.handle.wait(self.id, span).await?;
        let output = output::<K>(&job)?;
        Ok(Finished { output, job })
    }

    /// Cancels the job.
    ///
    /// # Errors
    /// The same as [`Handle::cancel`].
    pub async fn cancel(&self) -> Result<Job, Error> {
        self.handle.cancel(self.id).await
    }
}

/// Returns the result of a job that is expected to be of the kind `K`.
fn output<K: JobKind>(job: &Job) -> Result<K::Output, WaitError> {
    let id = job.id;
    let error = || job.error.clone().unwrap_or_else(|| JobError::new("", "no reason is stored"));
    let bad_result = |why: String| WaitError::BadResult { id, why };
    match job.state {
        State::Completed if job.kind != K::KIND => {
            Err(bad_result(format!("the job is of kind {}, not {}", job.kind, K::KIND)))
        }
        State::Completed if job.result_truncated => {
            Err(bad_result("it is longer than limits.max_result_bytes and was truncated".into()))
        }
        State::Completed => {
            let result = job.result_json().ok_or_else(|| bad_result("it is missing".into()))?;
            result.read().map_err(|problem| bad_result(problem.to_string()))
        }
        State::Failed => Err(WaitError::Failed { id, error: error() }),
        State::Cancelled => Err(WaitError::Cancelled { id, error: error() }),
        state => Err(WaitError::NotFinished { id, state }),
    }
}

impl<K> Clone for JobHandle<K> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), id: self.id, kind: PhantomData }
    }
}

impl<K: JobKind> fmt::Debug for JobHandle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobHandle({} {})", K::KIND, self.id)
    }
}
