//! The report of a command that acts on several jobs, one after another.

use std::collections::HashMap;

use crate::cli::client::Reply;
use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::output::Output;
use crate::job::{Job, JobId};

/// Prints a job after an action.
type PrintJob = fn(&Output, &Job) -> Result<(), CliError>;

/// Prints the result for each job and remembers the first refusal.
///
/// A refused job does not stop the command: the other jobs are still tried.
pub(crate) struct BulkReport<'a> {
    output: &'a Output,
    print: PrintJob,
    /// Replies by id, and the messages of refusals.
    replies: HashMap<JobId, Result<Reply<Job>, String>>,
    first_refusal: Option<CliError>,
}

impl<'a> BulkReport<'a> {
    /// Creates an empty report. `print` prints the job of an accepted action.
    pub(crate) fn new(output: &'a Output, print: PrintJob) -> Self {
        Self { output, print, replies: HashMap::new(), first_refusal: None }
    }

    /// Parses the ids of a command line. Those that are no ids are reported and left out.
    pub(crate) fn read_ids(&mut self, texts: &[String]) -> Vec<JobId> {
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            match parse_id(text) {
                Ok(id) => ids.push(id),
                Err(why) => self.refuse(CliError::Usage(format!("the id {text:?} {why}"))),
            }
        }
        ids
    }

    /// Prints the reply for a job again, if there was one. Returns whether there was one.
    ///
    /// # Errors
    /// Returns an error if the output cannot be written.
    pub(crate) fn repeat(&self, id: JobId) -> Result<bool, CliError> {
        let Some(reply) = self.replies.get(&id) else { return Ok(false) };
        self.print(id, reply)?;
        Ok(true)
    }

    /// Adds the server's reply for one job and prints it.
    ///
    /// # Errors
    /// Returns any error except a refusal, such as an unreachable server. The command then stops.
    pub(crate) fn add(
        &mut self,
        id: JobId,
        reply: Result<Reply<Job>, CliError>,
    ) -> Result<(), CliError> {
        let reply = match reply {
            Ok(reply) => Ok(reply),
            Err(error @ CliError::Refused(_)) => {
                let message = error.to_string();
                self.first_refusal.get_or_insert(error);
                Err(message)
            }
            Err(error) => return Err(error),
        };
        self.print(id, &reply)?;
        self.replies.insert(id, reply);
        Ok(())
    }

    /// Ends the report: returns the first refusal, which has been printed already.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        match self.first_refusal {
            Some(error) => Err(CliError::Reported(Box::new(error))),
            None => Ok(()),
        }
    }

    fn print(&self, id: JobId, reply: &Result<Reply<Job>, String>) -> Result<(), CliError> {
        match reply {
            Ok(reply) if self.output.json => self.output.json(&reply.json),
            Ok(reply) => (self.print)(self.output, &reply.value),
            Err(message) => {
                self.output.note(format_args!("job {id}: {message}"));
                Ok(())
            }
        }
    }

    fn refuse(&mut self, error: CliError) {
        self.output.note(format_args!("error: {error}"));
        self.first_refusal.get_or_insert(error);
    }
}
