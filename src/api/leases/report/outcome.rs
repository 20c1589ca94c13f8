//! Outcomes of the attempts that remote workers report.

use crate::api::leases::report::{LeaseReport, ReportedError, UnusableResult};
use crate::job::JobError;
use crate::job::attempt::{AttemptDetail, MAX_RESULT_EXCERPT_BYTES, MAX_TEXT_BYTES, head_and_tail};
use crate::job::outcome::retry::{Backoff, Pause};
use crate::job::outcome::{Deferral, JobResult, Outcome};
use crate::job::payload::Json;
use crate::job::time::Span;

/// Error code of a failure that was reported without one.
const DEFAULT_CODE: &str = "failed";
/// Error code of a job that was released until a later time.
const DEFERRED: &str = "deferred";
/// Maximum size of a message, in bytes, without the text that says how much was omitted.
const MAX_MESSAGE_BYTES: usize = JobError::MAX_MESSAGE_LEN - 64;
/// Error code of an attempt whose result cannot be stored.
const BAD_RESULT: &str = "bad_result";

impl LeaseReport {
    /// Returns the outcome of an attempt that succeeded. If its result cannot be stored, the attempt
    /// has failed, and another attempt would have the same result.
    pub(super) fn completed(self, max_result_bytes: usize) -> Outcome {
        let json = self.result.unwrap_or_default();
        let unusable = self.unusable_result.or_else(|| {
            let problem = Json::checked(json.as_str()).err()?;
            let reason = format!("the result is not valid: {}", problem.under("/result"));
            Some(UnusableResult { text: json.as_str().to_owned(), reason })
        });
        match unusable {
            None => Outcome::Completed(JobResult::whole(json).capped(max_result_bytes)),
            Some(UnusableResult { text, reason }) => {
                let result = Some(head_and_tail(&text, MAX_RESULT_EXCERPT_BYTES));
                let detail = AttemptDetail { result, ..AttemptDetail::default() };
                Outcome::fatal(BAD_RESULT, reason).with_detail(detail)
            }
        }
    }

    /// Returns the outcome of an attempt that failed. One that does not count is deferred, unless
    /// nothing is retried.
    pub(super) fn failed(self) -> Outcome {
        let retryable = self.retryable.unwrap_or(true);
        let retry_in = self.retry_in.filter(|_| retryable).map(|pause| pause.min(Backoff::MAX));
        let error = self.error.unwrap_or_default();
        let detail = error.detail().boxed();
        let error = error.job_error();
        if retryable && self.counts == Some(false) {
            return deferred(error, retry_in.unwrap_or(Deferral::DEFAULT_PAUSE), false, detail);
        }
        let retry_in = retry_in.map(Pause::Exactly);
        Outcome::Failed { error, retryable, retry_in, detail }
    }

    /// Returns the outcome of a job that was returned unfinished. One that names a pause is deferred.
    pub(super) fn released(self) -> Outcome {
        match (self.retry_in, self.begun) {
            (Some(pause), begun) => {
                let may_have_run = self.counts != Some(false) && begun != Some(false);
                let pause = pause.min(Backoff::MAX);
                let message = format!("the worker released the job for {pause}");
                deferred(JobError::new(DEFERRED, message), pause, may_have_run, None)
            }
            (None, Some(false)) => Outcome::NotStarted,
            (None, _) => Outcome::Released,
        }
    }
}

fn deferred(
    error: JobError,
    retry_in: Span,
    may_have_run: bool,
    detail: Option<Box<AttemptDetail>>,
) -> Outcome {
    let deferral = Deferral::new(error, retry_in);
    Outcome::Deferred(Box::new(Deferral { may_have_run, detail, ..deferral }))
}

impl ReportedError {
    /// Returns the code and the message within the limits of the database.
    fn job_error(&self) -> JobError {
        let code = match self.code.trim() {
            "" => DEFAULT_CODE.to_owned(),
            code => code.replace(char::is_control, "\u{fffd}"),
        };
        let message = match (self.message.as_str(), &self.traceback) {
            ("", Some(traceback)) => last_line(traceback),
            ("", None) if self.code.is_empty() && self.data.is_none() => {
                "the worker gave no reason"
            }
            (message, _) => message,
        };
        JobError::new(code, head_and_tail(message, MAX_MESSAGE_BYTES))
    }

    /// Returns what is kept beside the code and the message. A message that is too long for the
    /// database is kept as a traceback, which often is a part of it.
    fn detail(&self) -> AttemptDetail {
        let is_long = self.message.len() > MAX_MESSAGE_BYTES;
        let traceback = self.traceback.as_ref().or(is_long.then_some(&self.message));
        let traceback = traceback.filter(|traceback| !traceback.is_empty());
        let data = self.data.as_ref().map(|data| match data.as_str() {
            text if text.len() > MAX_TEXT_BYTES => {
                Json::of(&head_and_tail(text, MAX_TEXT_BYTES)).unwrap_or_default()
            }
            _ => data.clone(),
        });
        let traceback = traceback.map(|traceback| head_and_tail(traceback, MAX_TEXT_BYTES));
        AttemptDetail { traceback, data, ..AttemptDetail::default() }
    }
}

/// Returns the last line of a text that is not blank. In Python's tracebacks it names the exception.
fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> LeaseReport {
        LeaseReport::read(text.as_bytes()).unwrap()
    }

    fn deferral(outcome: Outcome) -> Option<(String, Span)> {
        let Outcome::Deferred(deferral) = outcome else { return None };
        assert!(!deferral.is_of_provider);
        Some((deferral.error.code, deferral.retry_in))
    }

    #[test]
    fn a_failure_that_does_not_count_is_deferred_unless_nothing_is_retried() {
        let expect = |span| Some(("busy".to_owned(), span));
        for (fields, expected) in [
            (r#""counts": false, "retry_in": "30s""#, expect(Span::from_secs(30))),
            (r#""counts": "FALSE", "retry_in": 2.5"#, expect(Span::from_millis(2_500))),
            (r#""counts": 0"#, expect(Deferral::DEFAULT_PAUSE)),
            (r#""counts": "no", "retry_in": "soon""#, expect(Deferral::DEFAULT_PAUSE)),
            (r#""counts": false, "retry_in": -3"#, expect(Span::default())),
            (r#""counts": false, "retry_in": "400d""#, expect(Backoff::MAX)),
            (r#""counts": true, "retry_in": "30s""#, None),
            (r#""counts": null, "retry_in": "30s""#, None),
            (r#""counts": [], "retry_in": "30s""#, None),
            (r#""counts": false, "retryable": false, "retry_in": "30s""#, None),
        ] {
            let text = format!(r#"{{"error": {{"code": "busy"}}, {fields}}}"#);
            assert_eq!(deferral(read(&text).failed()), expected, "{text}");
        }
    }

    #[test]
    fn a_release_with_a_pause_is_deferred_whatever_else_it_says() {
        let expect = |span| Some((DEFERRED.to_owned(), span));
        for (text, expected) in [
            (r#"{"retry_in": "30s"}"#, expect(Span::from_secs(30))),
            (r#"{"retry_in": 1, "counts": true, "begun": false}"#, expect(Span::from_secs(1))),
            (r#"{"retry_in": 1e300}"#, expect(Backoff::MAX)),
            (r#"{"retry_in": null, "counts": false}"#, None),
            (r#"{"retry_in": "later"}"#, None),
        ] {
            assert_eq!(deferral(read(text).released()), expected, "{text}");
        }
    }
}
