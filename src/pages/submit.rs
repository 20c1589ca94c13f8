//! `/submit`: a form for each kind of job, with errors shown at their fields.

mod again;
mod indent;
mod input;
mod kinds;
mod options;
mod restore;

use std::fmt;
use std::num::ParseIntError;

use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, HttpResponse, Resource};
use askama::Template;
use sha2::{Digest, Sha256};

use crate::job::problem::{Problem, Short};
use crate::job::{IdempotencyKey, JobId, Submission};
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::fields::Fields;
use crate::pages::forms::form;
use crate::pages::forms::form_token;
use crate::pages::parts::json_view::JsonView;
use crate::pages::parts::layout::{Layout, NavItem};
use crate::pages::parts::query::query_string;
use crate::pages::parts::time::RelativeTime;
use crate::pages::response::error_page::PageError;
use crate::pages::response::render::render_with_status;
use crate::pages::response::resource::{form_route, page_resource};
use crate::pages::response::{PageResult, redirect_to, render};
use crate::server::{ByteShare, Error, Handle, Refusal, SubmissionKey, fingerprint};
use again::Original;
use input::{Control, Input, assign};
use kinds::PayloadForm;

pub(super) fn resource() -> Resource {
    page_resource("/submit", show_form).route(form_route(submit))
}

#[derive(Template)]
#[template(path = "submit.html")]
struct SubmitPage {
    layout: Layout,
    kinds: Vec<String>,
    kind: String,
    description: &'static str,
    /// Time at which a remote worker last asked for the kind.
    last_asked_at: Option<RelativeTime>,
    /// Whether the payload is edited as JSON instead of in fields.
    as_json: bool,
    /// Query string that switches between fields and JSON. `None` if the kind has no fields.
    alternative: Option<String>,
    payload: Vec<Input>,
    /// Payload that takes the place of its fields, because it is too large for them.
    large_payload: Option<JsonView>,
    options: Vec<Input>,
    /// Problems that belong to no field.
    problems: Vec<String>,
    /// Job from which the form was filled in.
    from: Option<JobId>,
    /// Whether the `expires_at` of that job has passed.
    has_expired: bool,
    form_token: String,
}

async fn show_form(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    let mut fields = Fields::from_query(&request)?;
    let mut problems = Vec::new();
    let from: Option<JobId> = fields.read("from", "must be a job id", &mut problems);
    if let Some(problem) = problems.first() {
        return Err(PageError::bad_request(problem));
    }
    let (now, mut has_expired) = (handle.now(), false);
    let mut original = None;
    if let Some(id) = from {
        let job = Original::read(&handle, id).await?;
        fields = job.fields(handle.config().limits.max_payload_bytes, now);
        has_expired = job.has_expired(now);
        original = Some(job);
    }
    fields.set("form_token", form_token::generate()?);
    let page = SubmitPage::new(&handle, &fields, original.as_ref(), Vec::new());
    render(&SubmitPage { has_expired, ..page })
}

async fn submit(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    let mut fields = form::read(&request, body, &handle).await?;
    let original = match original(&handle, &fields).await {
        Ok(original) => original,
        Err(problem) => {
            fields.remove("from");
            return Ok(refused(&handle, &fields, None, vec![problem]));
        }
    };
    let length = fields.bytes();
    let max_bytes = handle.config().limits.max_payload_bytes;
    let parse = move || {
        let parsed = parse(&fields, original.as_ref(), max_bytes);
        (fields, original, parsed)
    };
    let (fields, original, parsed) = handle.compute(ByteShare::Submissions, length, parse).await?;
    let original = original.as_ref();
    let (submission, key) = match parsed {
        Ok(parsed) => parsed,
        Err(problems) => return Ok(refused(&handle, &fields, original, problems)),
    };
    match handle.submit_keyed(submission, key).await {
        Ok(job) => redirect_to(format!("/jobs/{}", job.value.id)),
        Err(Error::Invalid(problems)) => Ok(refused(&handle, &fields, original, problems)),
        Err(error) => {
            let pointer = match &error {
                Error::Refused(Refusal::KeyReused(_) | Refusal::KeyReusedByBatch(_)) => {
                    "/idempotency_key"
                }
                Error::Refused(Refusal::TooManyQueues(_)) => "/queue",
                _ => "",
            };
            // The form is rendered again, so the user's input is not lost.
            let problem = Problem::new(pointer, &error);
            let page = SubmitPage::new(&handle, &fields, original, vec![problem]);
            Ok(render_with_status(PageError::from(error).status(), &page))
        }
    }
}

/// Renders the form again with the submitted values and their problems.
fn refused(
    handle: &Handle,
    fields: &Fields,
    original: Option<&Original>,
    problems: Vec<Problem>,
) -> HttpResponse {
    let page = SubmitPage::new(handle, fields, original, problems);
    render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Returns the job from which a submitted form was filled in, if any.
///
/// # Errors
/// Returns a problem if the job cannot be read, for example because it has been deleted. Without it,
/// what was not changed cannot be submitted exactly as it was, which the user must know.
async fn original(handle: &Handle, fields: &Fields) -> Result<Option<Original>, Problem> {
    let Some(from) = fields.trimmed("from") else { return Ok(None) };
    let failed = |why: &dyn fmt::Display| {
        let from = Short::<_, 64>(from);
        let detail = format!(
            "job {from}, from which this form was filled in, cannot be read: {why}; submit once more to \
             send the form exactly as it is shown"
        );
        Problem::new("", detail)
    };
    let id = from.parse().map_err(|error: ParseIntError| failed(&error))?;
    Original::read(handle, id).await.map(Some).map_err(|error| failed(&error))
}

/// Parses the whole form. What was not changed in it is taken from `original`.
fn parse(
    fields: &Fields,
    original: Option<&Original>,
    max_payload_bytes: usize,
) -> Result<(Submission, Option<SubmissionKey>), Vec<Problem>> {
    let kind = fields.trimmed("kind").unwrap_or_default();
    let payload_form = PayloadForm::new(kind, fields.get("as") == Some("json"));
    let beside = original.and_then(|original| original.payload_beside(fields));
    let payload = beside.map_or_else(|| payload_form.payload(fields), Ok);
    let options = options::parse(fields);
    match (payload, options) {
        (Ok(payload), Ok(options)) => {
            let mut submission = Submission { kind: kind.to_owned(), payload, ..options };
            if let Some(original) = original {
                original.restore(&mut submission, fields);
            }
            let key = idempotency_key(fields, &submission, max_payload_bytes)
                .map_err(|problem| vec![problem])?;
            Ok((submission, key))
        }
        (payload, options) => {
            Err(payload.err().into_iter().chain(options.err()).flatten().collect())
        }
    }
}

/// Returns the idempotency key that the user typed, or else the key of the form token.
///
/// The server refuses a typed key that was used for another submission. Older versions compared the
/// SHA-256 hash of `/submit`, a zero byte and the submission as JSON.
fn idempotency_key(
    fields: &Fields,
    submission: &Submission,
    max_payload_bytes: usize,
) -> Result<Option<SubmissionKey>, Problem> {
    let Some(key) = fields.trimmed("idempotency_key") else {
        return form_token::idempotency_key(fields, submission)
            .map_err(|error| Problem::new("", error));
    };
    let key = key.parse::<IdempotencyKey>();
    let key = key.map_err(|error| Problem::new("/idempotency_key", error))?;
    let text = serde_json::to_vec(submission).map_err(|error| Problem::new("", error))?;
    let bytes = Sha256::new().chain_update("/submit\0").chain_update(text).finalize();
    let fingerprint = fingerprint::of_job("/submit", submission, max_payload_bytes);
    Ok(Some(SubmissionKey { key, owner: None, fingerprint, byte_fingerprint: bytes.into() }))
}

impl SubmitPage {
    /// Returns the page with the submitted values and each problem at its field.
    fn new(
        handle: &Handle,
        fields: &Fields,
        original: Option<&Original>,
        problems: Vec<Problem>,
    ) -> Self {
        let kind = fields.trimmed("kind").unwrap_or("http").to_owned();
        let as_json = fields.get("as") == Some("json");
        let payload_form = PayloadForm::new(&kind, as_json);
        let mut payload = payload_form.inputs(handle.config());
        let mut options = options::inputs(handle.config(), &handle.principal().queues);
        for input in payload.iter_mut().chain(&mut options) {
            input.fill(fields);
        }
        let mut unassigned = Vec::new();
        for problem in problems {
            if let Some(problem) = assign(problem, &mut payload, &mut options) {
                unassigned.push(problem.to_string());
            }
        }
        let switch_to = |format: Option<&str>| {
            query_string(&[("kind", Some(kind.clone())), ("as", format.map(str::to_owned))])
        };
        let from = fields.get("from").and_then(|id| id.parse().ok());
        let alternative = match (as_json, PayloadForm::new(&kind, false)) {
            (_, PayloadForm::Json) => None,
            // Another form would lose the values of the job.
            _ if from.is_some() => None,
            (true, _) => Some(switch_to(None)),
            (false, _) => Some(switch_to(Some("json"))),
        };
        let known = handle.known_kinds();
        let chosen = known.iter().find(|known| known.kind.as_str() == kind);
        let asked_at = chosen.and_then(|known| known.last_asked_at);
        let last_asked_at = asked_at.map(|at| RelativeTime::new(at, handle.now()));
        let mut kinds: Vec<String> = known.into_iter().map(|known| known.kind.into()).collect();
        if !kinds.contains(&kind) {
            kinds.push(kind.clone());
        }
        Self {
            layout: Layout::fixed(Permissions::of(handle), "Submit a job", NavItem::Submit),
            kinds,
            description: kinds::description(&kind),
            last_asked_at,
            kind,
            as_json,
            alternative,
            payload,
            large_payload: original.and_then(Original::large_payload_view),
            options,
            problems: unassigned,
            form_token: fields.get("form_token").unwrap_or_default().to_owned(),
            from,
            has_expired: false,
        }
    }
}
