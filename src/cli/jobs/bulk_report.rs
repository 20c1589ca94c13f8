//! The report of a command that acts on several jobs, one after another.

use crate::cli::client::Reply;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::job::{Job, JobId};

/// Prints the result for each job and remembers the first refusal.
///
/// A refused job does not stop the command: the other jobs are still tried.
#[derive(Debug, Default)]
pub(crate) struct BulkReport {
    first_refusal: Option<CliError>,
}

impl BulkReport {
    /// Adds the server's reply for one job and prints it.
    ///
    /// # Errors
    /// Returns any error except a refusal, such as an unreachable server. The command then stops.
    pub(crate) fn add(
        &mut self,
        output: &Output,
        id: JobId,
        reply: Result<Reply<Job>, CliError>,
        print: impl FnOnce(&Output, &Job) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        match reply {
            Ok(reply) if output.json => output.json(&reply.json),
            Ok(reply) => print(output, &reply.value),
            Err(error @ CliError::Refused(_)) => {
                output.note(format_args!("job {id}: {error}"));
                self.first_refusal.get_or_insert(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the report: returns the first refusal, which has been printed already.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        match self.first_refusal {
            Some(error) => Err(CliError::Reported(Box::new(error))),
            None => Ok(()),
        }
    }
}
