//! The attempts of a job as lines of text.

use crate::cli::output::show;
use crate::job::{Attempt, AttemptDetail, Job, JobError, State};

/// Returns the lines about the attempts of a job, oldest first. An only attempt that has not failed and
/// left nothing to show has no lines.
pub(super) fn lines(job: &Job) -> Vec<String> {
    let attempts = job.attempts.as_deref().unwrap_or_default();
    if let [only] = attempts
        && matches!(only.state, State::Running | State::Completed)
        && only.detail.is_empty()
    {
        return Vec::new();
    }
    attempts.iter().flat_map(attempt_lines).collect()
}

fn attempt_lines(attempt: &Attempt) -> Vec<String> {
    let mut head = format!("attempt   {} {}", attempt.attempt, attempt.state);
    if let Some(started_at) = attempt.started_at {
        head.push_str(&format!(", started {started_at}"));
    }
    if let Some(ended_at) = attempt.ended_at {
        match attempt.started_at.map(|started_at| ended_at.since(started_at)) {
            Some(took) => head.push_str(&format!(", took {}", show::duration(took))),
            None => head.push_str(&format!(", ended {ended_at}")),
        }
    }
    if let Some(worker) = &attempt.worker {
        head.push_str(&format!(", worker {}", show::plain(worker)));
    }
    let mut lines = vec![head];
    if let (Some(code), Some(message)) = (&attempt.code, &attempt.message) {
        let error = JobError { code: code.clone(), message: message.clone() };
        lines.push(format!("  {}", show::error(&error, usize::MAX)));
    }
    lines.extend(detail_lines(&attempt.detail));
    lines
}

fn detail_lines(detail: &AttemptDetail) -> Vec<String> {
    let AttemptDetail { response, exit, traceback, data, result, request_id } = detail;
    let mut lines = Vec::new();
    if let Some(id) = request_id {
        lines.push(format!("  request id: {}", show::plain(id)));
    }
    if let Some(response) = response {
        lines.push(format!("  response status: {}", response.status));
        let headers = response.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        add_text(&mut lines, "response headers", Some(&headers.collect()));
        add_text(&mut lines, "response body", response.body.as_ref());
        add_text(&mut lines, "response body in base64", response.body_base64.as_ref());
    }
    if let Some(exit) = exit {
        lines.push(format!("  {}", exit.summary()));
        add_text(&mut lines, "stdout", Some(&exit.stdout));
        add_text(&mut lines, "stderr", Some(&exit.stderr));
    }
    add_text(&mut lines, "traceback", traceback.as_ref());
    add_text(&mut lines, "data", data.as_ref().map(|data| data.as_str().to_owned()).as_ref());
    add_text(&mut lines, "beginning and end of the result", result.as_ref());
    lines
}

/// Adds a text of several lines below its title, unless it is empty.
fn add_text(lines: &mut Vec<String>, title: &str, text: Option<&String>) {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return };
    lines.push(format!("  {title}:"));
    lines.extend(text.lines().map(|line| format!("    {}", show::plain(line))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;
    use crate::job::attempt::{ExitDetail, ResponseDetail};

    fn attempt(state: State, detail: AttemptDetail) -> Attempt {
        let failed = state == State::Failed;
        Attempt {
            attempt: 1,
            state,
            started_at: Some("2030-01-31T12:00:00.000Z".parse().unwrap()),
            ended_at: Some("2030-01-31T12:00:01.250Z".parse().unwrap()),
            worker: Some("ann\x1b[31m".into()),
            code: failed.then(|| "exit".into()),
            message: failed.then(|| "first\nsecond".into()),
            detail,
        }
    }

    fn lines_of(attempts: Vec<Attempt>) -> Vec<String> {
        lines(&Job { attempts: Some(attempts), ..sample::job(1) })
    }

    #[test]
    fn a_failed_attempt_shows_everything_that_is_known_about_it() {
        let response = ResponseDetail {
            status: 429,
            headers: [("retry-after".to_owned(), "1".to_owned())].into(),
            body: Some("slow\ndown\x1b[2J".into()),
            body_base64: None,
        };
        let exit = ExitDetail {
            status: None,
            signal: Some(9),
            stdout: "why\n".into(),
            stderr: String::new(),
        };
        let detail = AttemptDetail {
            response: Some(response),
            exit: Some(exit),
            traceback: Some("line 1\n  line 2".into()),
            request_id: Some("req_1".into()),
            ..AttemptDetail::default()
        };
        let expected = [
            "attempt   1 failed, started 2030-01-31T12:00:00.000Z, took 1.25s, worker ann [31m",
            "  exit: first second",
            "  request id: req_1",
            "  response status: 429",
            "  response headers:",
            "    retry-after: 1",
            "  response body:",
            "    slow",
            "    down [2J",
            "  ended by signal 9",
            "  stdout:",
            "    why",
            "  traceback:",
            "    line 1",
            "      line 2",
        ];
        assert_eq!(lines_of(vec![attempt(State::Failed, detail)]), expected);
    }

    #[test]
    fn an_only_attempt_that_completed_has_no_lines() {
        let completed = || attempt(State::Completed, AttemptDetail::default());
        assert!(lines_of(vec![completed()]).is_empty());
        assert!(lines_of(Vec::new()).is_empty());
        let failed = attempt(State::Failed, AttemptDetail::default());
        assert_eq!(lines_of(vec![failed, completed()]).len(), 3);
        let detail = AttemptDetail { request_id: Some("r".into()), ..AttemptDetail::default() };
        assert_eq!(lines_of(vec![attempt(State::Completed, detail)]).len(), 2);
    }
}
