//! What became of several jobs that were asked for one after another.

use crate::cli::client::Reply;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::job::{Job, JobId};

/// Collects answers; a refusal of one job does not keep the others from being asked for.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    first_refusal: Option<CliError>,
}

impl Verdicts {
    /// Takes the answer for one job and prints it.
    ///
    /// # Errors
    /// Where the next job need not be tried, as the server cannot be reached.
    pub(super) fn take(
        &mut self,
        output: &Output,
        id: JobId,
        answer: Result<Reply<Job>, CliError>,
        tell: impl FnOnce(&Output, &Job) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        match answer {
            Ok(reply) if output.json => output.json(&reply.json),
            Ok(reply) => tell(output, &reply.value),
            Err(error @ CliError::Refused(_)) => {
                output.note(format_args!("job {id}: {error}"));
                self.first_refusal.get_or_insert(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// How it all ended: with the first refusal, which is printed already.
    pub(super) fn end(self) -> Result<(), CliError> {
        match self.first_refusal {
            Some(error) => Err(CliError::LeaseReport(Box::new(error))),
            None => Ok(()),
        }
    }
}
