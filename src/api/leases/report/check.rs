//! Validates reports: what is out of bounds is brought within them, and only what a report cannot be
//! applied without is refused.

use crate::api::leases::report::{
    CheckedLeaseAction, CheckedLeaseReport, LeaseAction, LeaseReport, ReportedProgress,
};
use crate::api::leases::request::LEASE_RANGE;
use crate::job::lease::Lease;
use crate::job::log::Log;
use crate::job::problem::Problem;
use crate::job::{JobId, Progress};

impl LeaseReport {
    /// Validates a single report, whose job and action are in the path of the request. A result is
    /// truncated to `max_result_bytes`.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field.
    pub fn check_one(
        mut self,
        job: JobId,
        action: LeaseAction,
        max_result_bytes: usize,
    ) -> Result<CheckedLeaseReport, Vec<Problem>> {
        // A report that repeats its path badly is as good as one that does not repeat it.
        self.problems.retain(|problem| !["/id", "/action"].contains(&&*problem.pointer));
        if self.id.is_some_and(|id| id != job) {
            self.problems.push(Problem::new("/id", "differs from the id in the path"));
        }
        if self.action.is_some_and(|given| given != action) {
            self.problems.push(Problem::new("/action", "differs from the action in the path"));
        }
        self.check(Some(job), Some(action), max_result_bytes)
    }

    /// Validates one of several reports, which contains its job and its action. A result is
    /// truncated to `max_result_bytes`.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field.
    pub fn check_many(self, max_result_bytes: usize) -> Result<CheckedLeaseReport, Vec<Problem>> {
        let (job, action) = (self.id, self.action);
        self.check(job, action, max_result_bytes)
    }

    fn check(
        mut self,
        job: Option<JobId>,
        action: Option<LeaseAction>,
        max_result_bytes: usize,
    ) -> Result<CheckedLeaseReport, Vec<Problem>> {
        let token = self.lease_token;
        let mut problems = std::mem::take(&mut self.problems);
        let mut log = Log::default();
        log.push_lines(self.log.as_deref().unwrap_or_default());
        for (pointer, is_present) in [
            ("/id", job.is_some()),
            ("/action", action.is_some()),
            ("/lease_token", token.is_some()),
        ] {
            let is_known = problems.iter().any(|known| [pointer, ""].contains(&&*known.pointer));
            if !is_present && !is_known {
                problems.push(Problem::new(pointer, "is required"));
            }
        }
        match (job, token, action) {
            (Some(job), Some(token), Some(action)) if problems.is_empty() => {
                let action = self.action(action, max_result_bytes);
                Ok(CheckedLeaseReport { lease: Lease { job, token }, action, log })
            }
            _ => Err(problems),
        }
    }

    fn action(self, action: LeaseAction, max_result_bytes: usize) -> CheckedLeaseAction {
        match action {
            LeaseAction::Complete => CheckedLeaseAction::Finish(self.completed(max_result_bytes)),
            LeaseAction::Fail => CheckedLeaseAction::Finish(self.failed()),
            LeaseAction::Release => CheckedLeaseAction::Finish(self.released()),
            LeaseAction::Renew => self.renewed(),
        }
    }

    fn renewed(self) -> CheckedLeaseAction {
        let (least, most) = LEASE_RANGE.into_inner();
        let percent = |progress: &ReportedProgress| {
            let percent = progress.percent.filter(|percent| !percent.is_nan());
            percent.map(|percent| percent.clamp(0.0, 100.0))
        };
        let keeps_percent =
            self.progress.as_ref().is_some_and(|progress| percent(progress).is_none());
        let progress = self.progress.map(|progress| {
            let percent = percent(&progress).unwrap_or_default();
            Progress::new(percent, progress.message.unwrap_or_default())
        });
        let lease = self.lease.map(|lease| lease.clamp(least, most));
        CheckedLeaseAction::Renew { lease, progress, keeps_percent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::attempt::{MAX_TEXT_BYTES, head_and_tail};
    use crate::job::lease::LeaseToken;
    use crate::job::outcome::retry::{Backoff, Pause};
    use crate::job::outcome::{JobResult, Outcome};
    use crate::job::{JobError, Json, Span};

    fn pointers<T: std::fmt::Debug>(checked: Result<T, Vec<Problem>>) -> Vec<String> {
        checked.unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    fn read(text: impl AsRef<[u8]>) -> LeaseReport {
        LeaseReport::read(text.as_ref()).unwrap()
    }

    /// Returns the action of a report without its token.
    fn check(action: LeaseAction, text: impl AsRef<[u8]>) -> CheckedLeaseAction {
        let report = LeaseReport { lease_token: Some(LeaseToken(1)), ..read(text) };
        report.check_one(JobId(1), action, 10).unwrap().action
    }

    fn failure(text: impl AsRef<[u8]>) -> (JobError, bool, Option<Span>) {
        match check(LeaseAction::Fail, text) {
            CheckedLeaseAction::Finish(Outcome::Failed { error, retryable, retry_in, .. }) => {
                let retry_in = retry_in.map(|pause| match pause {
                    Pause::Exactly(span) => span,
                    Pause::AtLeast(_) => panic!("{pause:?}"),
                });
                (error, retryable, retry_in)
            }
            other => panic!("{other:?}"),
        }
    }

    fn renewal(text: impl AsRef<[u8]>) -> (Option<Span>, Option<Progress>) {
        match check(LeaseAction::Renew, text) {
            CheckedLeaseAction::Renew { lease, progress, .. } => (lease, progress),
            other => panic!("{other:?}"),
        }
    }

    fn result(text: impl AsRef<[u8]>) -> Outcome {
        match check(LeaseAction::Complete, text) {
            CheckedLeaseAction::Finish(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_that_are_unknown_or_belong_to_another_action_are_ignored() {
        let text = r#"{"result": 1, "error": [], "begun": "no", "lease": {}, "x\ud800": 1e999}"#;
        let released = check(LeaseAction::Release, text);
        assert_eq!(released, CheckedLeaseAction::Finish(Outcome::NotStarted));
        assert_eq!(renewal(text), (None, None));
    }

    #[test]
    fn a_report_in_a_list_requires_a_job_an_action_and_a_token() {
        let all = ["/id", "/action", "/lease_token"];
        assert_eq!(pointers(LeaseReport::default().check_many(10)), all);
        assert_eq!(pointers(read(r#"{"id": null}"#).check_many(10)), all);
        let malformed = r#"{"id": 1.5, "action": "stop", "lease_token": "x"}"#;
        assert_eq!(pointers(read(malformed).check_many(10)), all);
        for text in ["[]", "1", "null", "\"x\"", "[{}]"] {
            assert_eq!(pointers(read(text).check_many(10)), [""], "{text}");
        }
        let lease = Lease { job: JobId(7), token: LeaseToken(2) };
        for text in [
            r#"{"id": "7", "action": "release", "lease_token": "2"}"#,
            r#"{"id": 7.0, "action": "RELEASE", "lease_token": 2.00}"#,
        ] {
            assert_eq!(read(text).check_many(10).unwrap().lease, lease);
        }
    }

    #[test]
    fn a_single_report_must_not_contradict_its_path() {
        let text = r#"{"id": 2, "action": "fail", "lease_token": 1}"#;
        let checked = read(text).check_one(JobId(1), LeaseAction::Release, 10);
        assert_eq!(pointers(checked), ["/id", "/action"]);
        assert!(read(text).check_one(JobId(2), LeaseAction::Fail, 10).is_ok());
        let text = r#"{"id": "job 2", "action": 1, "lease_token": 1}"#;
        assert!(read(text).check_one(JobId(2), LeaseAction::Fail, 10).is_ok());
    }

    #[test]
    fn a_failure_is_repaired_and_never_refused_for_its_form() {
        let whole = |code: &str, message: &str| (JobError::new(code, message), true, None);
        for (text, expected) in [
            (
                r#"{"error": {"code": "E", "message": "caf\udce9.txt"}}"# as &str,
                whole("E", "caf\u{fffd}.txt"),
            ),
            (r#"{"error": {"code": "a\nb", "message": "m"}}"#, whole("a\u{fffd}b", "m")),
            (r#"{"error": {"code": " ", "message": "m"}}"#, whole("failed", "m")),
            (r#"{"error": {"code": "E"}, "retry_in": "soon"}"#, whole("E", "")),
            (r#"{"error": {"code": "E", "message": NaN}}"#, whole("E", "NaN")),
            (r#"{"error": "boom"}"#, whole("failed", "boom")),
            (r#"{"error": null}"#, whole("failed", "the worker gave no reason")),
            ("{}", whole("failed", "the worker gave no reason")),
            (
                r#"{"error": {"traceback": "Traceback:\n\nKeyError: 'a'\n"}}"#,
                whole("failed", "KeyError: 'a'"),
            ),
        ] {
            assert_eq!(failure(text), expected, "{text}");
        }
        let (error, ..) = failure(b"{\"error\": \"caf\xe9\"}");
        assert_eq!(error.message, "caf\u{fffd}");
        let code = "é".repeat(100);
        let (error, ..) = failure(format!(r#"{{"error": {{"code": "{code}"}}}}"#));
        assert_eq!(error.code, "é".repeat(32));
    }

    #[test]
    fn a_pause_is_shortened_to_the_longest_one_and_ignored_if_nothing_is_retried() {
        assert_eq!(failure(r#"{"retry_in": "25h"}"#).2, Some(Backoff::MAX));
        assert_eq!(failure(r#"{"retry_in": 2.5}"#).2, Some(Span::from_millis(2_500)));
        assert_eq!(failure(r#"{"retry_in": "1s", "retryable": "false"}"#).2, None);
        assert!(!failure(r#"{"retryable": 0}"#).1);
    }

    #[test]
    fn numbers_of_a_renewal_are_clamped() {
        let progress = |text: &str| renewal(format!(r#"{{"progress": {text}}}"#)).1;
        let expect = |percent, message: &str| Some(Progress::new(percent, message));
        assert_eq!(progress("101"), expect(100.0, ""));
        assert_eq!(progress(r#"{"percent": 100.0000001, "message": "a"}"#), expect(100.0, "a"));
        assert_eq!(progress(r#"{"percent": -1}"#), expect(0.0, ""));
        assert_eq!(progress("Infinity"), expect(100.0, ""));
        assert_eq!(progress("NaN"), None);
        let lease = |text: &str| renewal(format!(r#"{{"lease": {text}}}"#)).0;
        assert_eq!(lease("\"25h\""), Some(Span::from_secs(24 * 3600)));
        assert_eq!(lease("0.1"), Some(Span::from_secs(1)));
        assert_eq!(lease("true"), None);
    }

    #[test]
    fn a_long_result_is_truncated() {
        let Outcome::Completed(result) = result(r#"{"result": "0123456789"}"#) else {
            panic!("not completed");
        };
        assert!(result.truncated);
    }

    #[test]
    fn a_result_is_stored_unchanged_or_fails_the_attempt() {
        let kept = r#"{"b":1.0,"a":1e2}"#;
        let whole = Outcome::Completed(JobResult::whole(Json::trusted(kept)).capped(10));
        assert_eq!(result(format!(r#"{{"result": {kept}}}"#)), whole);
        // Other values may need a repair.
        assert_eq!(result(format!(r#"{{"result": {kept}, "log": NaN}}"#)), whole);
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in [r#""\ud800""#, "NaN", r#"{"a": [Infinity]}"#, r#""C:\dir""#, "1e999", &deep] {
            let failed = result(format!(r#"{{"result": {text}}}"#));
            let Outcome::Failed { error, retryable: false, detail: Some(detail), .. } = failed
            else {
                panic!("{text}: {failed:?}");
            };
            assert_eq!(error.code, "bad_result");
            assert!(detail.result.is_some_and(|kept| !kept.is_empty()));
        }
        let Outcome::Failed { error, .. } = result(b"{\"result\": \"\xff\"}") else { panic!() };
        assert_eq!(error.code, "bad_result");
    }

    #[test]
    fn the_start_and_the_end_of_long_texts_are_kept() {
        let detail = |text: String| match check(LeaseAction::Fail, text) {
            CheckedLeaseAction::Finish(Outcome::Failed { error, detail, .. }) => (error, detail),
            other => panic!("{other:?}"),
        };
        let lines = format!("first{}last", "é".repeat(10_000));
        let (error, kept) = detail(format!(r#"{{"error": {{"message": "{lines}"}}}}"#));
        assert!(error.message.starts_with("firstéé") && error.message.ends_with("éélast"));
        assert!(error.message.len() <= JobError::MAX_MESSAGE_LEN);
        let traceback = kept.unwrap().traceback.unwrap();
        assert_eq!(traceback, head_and_tail(&lines, MAX_TEXT_BYTES));
        let text = format!(
            r#"{{"error": {{"message": "m", "traceback": "{lines}", "data": {{"a": "{lines}"}}}}}}"#
        );
        let kept = detail(text).1.unwrap();
        assert_eq!(kept.traceback, Some(head_and_tail(&lines, MAX_TEXT_BYTES)));
        let data: String = kept.data.unwrap().read().unwrap();
        assert!(data.starts_with(r#"{"a": "firsté"#) && data.ends_with(r#"élast"}"#), "{data}");
        let short = r#"{"error": {"data": {"a": 1.0}}}"#.to_owned();
        assert_eq!(detail(short).1.unwrap().data, Some(Json::trusted(r#"{"a": 1.0}"#)));
        assert_eq!(detail(r#"{"error": "m"}"#.to_owned()).1, None);
    }

    #[test]
    fn one_entry_of_a_list_is_repaired_without_a_change_of_the_others() {
        let list =
            LeaseReport::read_list(br#"[{"id": 1, "result": "\u00e9"}, 7, {"progress": NaN}]"#, 9);
        let list = list.unwrap().values;
        assert_eq!(list[0].result, Some(Json::trusted(r#""\u00e9""#)));
        assert_eq!((list.len(), list[1].problems.len()), (3, 1));
        for text in ["{}", "[", "[{]", "", "[x]"] {
            assert!(LeaseReport::read_list(text.as_bytes(), 9).is_err(), "{text}");
        }
    }

    #[test]
    fn log_lines_are_taken_with_any_action() {
        let log = |text: &str| {
            let report = LeaseReport { lease_token: Some(LeaseToken(1)), ..read(text) };
            report.check_one(JobId(1), LeaseAction::Release, 10).unwrap().log.text
        };
        assert_eq!(log(r#"{"log": "one\ntwo"}"#), "one\ntwo\n");
        assert_eq!(log(r#"{"log": ["one", "caf\ud800"]}"#), "one\ncaf\u{fffd}\n");
        assert_eq!(log("{}"), "");
    }
}
