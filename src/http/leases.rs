//! `/v1/leases`: lease, renew and finish jobs as a remote worker.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};

use crate::api::leases::{
    LeaseAction, LeaseAnswer, LeaseAnswers, LeaseJobsRequest, LeaseReport, LeasedJobView,
    LeasedJobs, WatchLeasesRequest, WatchedLeaseView, WatchedLeases,
};
use crate::api::problem::ProblemType;
use crate::http::problem::Rejection;
use crate::http::request::body::{self, BodyFormat};
use crate::http::request::json_list::{at_line, lines};
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, in_room, ok};
use crate::job::lease::LeasedJob;
use crate::job::problem::{CountedList, Problem, Short};
use crate::server::{AnswerShare, ByteShare, Error, Handle, LeaseActionResult, LeaseReportResult};

/// Approximate size of the answer to one report of a list, in bytes.
const ANSWER_BYTES: usize = 128;

/// Adds the result of an action to its answer.
fn add_result(answer: LeaseAnswer, result: LeaseActionResult) -> LeaseAnswer {
    match result {
        LeaseActionResult::Finished { state, result_truncated } => {
            let result_truncated = result_truncated.then_some(true);
            LeaseAnswer { state: Some(state), result_truncated, ..answer }
        }
        LeaseActionResult::Repeated => LeaseAnswer { repeated: Some(true), ..answer },
        LeaseActionResult::Renewed { lease_expires_at, cancel } => {
            let lease_expires_at = Some(lease_expires_at);
            LeaseAnswer { lease_expires_at, cancel: Some(cancel), ..answer }
        }
    }
}

/// Returns the answer to one action of a list, which has a status of its own. Problems start with the
/// index of the report.
fn answer_in_list(index: usize, result: LeaseReportResult, place: ReportPlace) -> LeaseAnswer {
    let answer = LeaseAnswer::new(result.job, result.lease_token);
    let rejection = match result.result {
        Ok(result) => {
            let answer = LeaseAnswer { status: Some(StatusCode::OK.as_u16()), ..answer };
            return add_result(answer, result);
        }
        Err(Error::Invalid(problems)) => {
            let under = |problem: Problem| problem.under(&format!("/{index}"));
            let problems = problems.into_iter().map(under).map(|problem| place.locate(problem));
            Rejection::invalid(place.invalid_status, problems.collect())
        }
        Err(error) => Rejection::from(error),
    };
    let (status, problem) = rejection.entry_problem();
    LeaseAnswer { status: Some(status), problem: Some(problem), ..answer }
}

/// Where a report is in the body, and the status of its problems.
#[derive(Debug, Clone, Copy)]
struct ReportPlace {
    /// Number of its line, from 1; `None` in an array.
    line: Option<usize>,
    /// 400 for a line that is not JSON, else 422.
    invalid_status: StatusCode,
}

impl ReportPlace {
    /// Adds the number of the line to a problem.
    fn locate(self, problem: Problem) -> Problem {
        match self.line {
            Some(number) => at_line(problem, number),
            None => problem,
        }
    }
}

/// Reads a list of reports, of which only the first `max` are kept. Only a body that is not a list is
/// refused; a report that cannot be read is refused by itself later.
fn reports(
    format: BodyFormat,
    body: &[u8],
    max: usize,
) -> Result<CountedList<(LeaseReport, ReportPlace)>, Rejection> {
    let invalid_status = StatusCode::UNPROCESSABLE_ENTITY;
    match format {
        BodyFormat::Json => {
            let CountedList { values, count } = LeaseReport::read_list(body, max)
                .map_err(|problem| Rejection::invalid(body::status_of(body), vec![problem]))?;
            let place = ReportPlace { line: None, invalid_status };
            let values = values.into_iter().map(|report| (report, place)).collect();
            Ok(CountedList { values, count })
        }
        BodyFormat::Lines => {
            let read = |(number, line)| match LeaseReport::read(line) {
                Ok(report) => (report, ReportPlace { line: Some(number), invalid_status }),
                Err(problem) => {
                    let invalid_status = StatusCode::BAD_REQUEST;
                    let place = ReportPlace { line: Some(number), invalid_status };
                    (LeaseReport::unreadable(problem), place)
                }
            };
            let values = lines(body).take(max).map(read).collect();
            Ok(CountedList { values, count: lines(body).count() })
        }
    }
}

pub(super) async fn lease(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let wanted: LeaseJobsRequest = body::json(&request, payload, &handle).await?;
    let jobs = handle.lease(wanted).await?;
    let bytes = jobs.iter().map(LeasedJob::text_bytes).sum();
    let room = handle.reserve_answer(AnswerShare::Workers, bytes);
    // The jobs of an answer that has no room would wait for the end of their lease.
    let room = room.inspect_err(|_no_room| handle.release(&jobs))?;
    let jobs = LeasedJobs { jobs: jobs.into_iter().map(LeasedJobView::from).collect() };
    Ok(in_room(ok(&jobs), room))
}

pub(super) async fn act(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let job = query::id(&request)?;
    let action = action(&request)?;
    body::require_json(&request)?;
    let body = body::read(&request, payload, &handle, ByteShare::Actions).await?;
    let read = |body: &[u8]| {
        LeaseReport::read(body)
            .map_err(|problem| Rejection::invalid(StatusCode::BAD_REQUEST, vec![problem]))
    };
    let report = body.process(&handle, read).await?;
    let (lease, result) = handle.lease_action(job, action, report).await?;
    Ok(ok(&add_result(LeaseAnswer::new(Some(lease.job), Some(lease.token)), result)))
}

pub(super) async fn act_on_list(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let format = body::format(&request)?;
    let body = body::read(&request, payload, &handle, ByteShare::Actions).await?;
    let max = handle.config().limits.max_jobs_per_request;
    let read = move |body: &[u8]| reports(format, body, max);
    let CountedList { values, count } = body.process(&handle, read).await?;
    handle.check_number_of_reports(count)?;
    let room = handle.reserve_answer(AnswerShare::Workers, count * ANSWER_BYTES)?;
    let (reports, places): (Vec<_>, Vec<_>) = values.into_iter().unzip();
    let results = handle.lease_actions(reports).await?;
    let entries = results.into_iter().zip(places).enumerate();
    let answers = entries.map(|(index, (result, place))| answer_in_list(index, result, place));
    Ok(in_room(ok(&LeaseAnswers { answers: answers.collect() }), room))
}

pub(super) async fn watch(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let watch: WatchLeasesRequest = body::json(&request, payload, &handle).await?;
    let found = handle.watch_leases(watch).await?;
    let unreadable = found.unreadable.into_iter().map(|mut entry| {
        let problems = std::mem::take(&mut entry.problems);
        let rejection = Rejection::invalid(StatusCode::UNPROCESSABLE_ENTITY, problems);
        let (_, problem) = rejection.entry_problem();
        WatchedLeaseView::unreadable(&entry, problem)
    });
    let stopped = found.leases.into_iter();
    let stopped = stopped.filter_map(|(lease, state)| WatchedLeaseView::of(lease, state));
    Ok(ok(&WatchedLeases { leases: stopped.chain(unreadable).collect() }))
}

fn action(request: &HttpRequest) -> Result<LeaseAction, Rejection> {
    match request.match_info().get("action").unwrap_or_default() {
        "renew" => Ok(LeaseAction::Renew),
        "complete" => Ok(LeaseAction::Complete),
        "fail" => Ok(LeaseAction::Fail),
        "release" => Ok(LeaseAction::Release),
        other => {
            let other = Short::<_>(other);
            let detail = format!("unknown action {other}: use renew, complete, fail or release");
            Err(Rejection::new(ProblemType::NotFound, detail))
        }
    }
}
