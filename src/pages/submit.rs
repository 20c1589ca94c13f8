//! `/submit`: a job by a form for its kind, with what is wrong told at its field.

mod indent;
mod input;
mod kinds;
mod options;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, Resource};
use askama::Template;
use sha2::{Digest, Sha256};

use crate::job::problem::Problem;
use crate::job::{JobId, Lane, Submission};
use crate::pages::answer::{Answered, go_to, page, show, with_status};
use crate::pages::dress::{Dress, Place, query};
use crate::pages::fields::Fields;
use crate::pages::trouble::Trouble;
use crate::pages::{form, once};
use crate::server::{Error, Handle};
use crate::store::{IdempotencyKey, Refusal};
use input::{Control, Input, place};
use kinds::Shape;

/// The longest idempotency key, in bytes.
const MAX_KEY: usize = 255;

pub(super) fn all() -> Resource {
    page("/submit", look).route(web::post().to(submit))
}

#[derive(Template)]
#[template(path = "submit.html")]
struct SubmitPage {
    dress: Dress,
    kinds: Vec<String>,
    kind: String,
    about: &'static str,
    /// Whether the payload is written as JSON, and where the other way is.
    as_json: bool,
    other_way: Option<String>,
    payload: Vec<Input>,
    options: Vec<Input>,
    problems: Vec<String>,
    from: Option<JobId>,
    once: String,
}

async fn look(request: HttpRequest, handle: Data<Handle>) -> Answered {
    let mut fields = Fields::of_query(&request)?;
    let mut problems = Vec::new();
    let from: Option<JobId> = fields.read("from", "is the id of a job", &mut problems);
    if let Some(problem) = problems.first() {
        return Err(Trouble::bad(problem));
    }
    if let Some(id) = from {
        fields = again(&handle, id).await?;
    }
    fields.set("once", once::word());
    show(&SubmitPage { from, ..SubmitPage::new(&handle, &fields, Vec::new()) })
}

/// A form filled in from a job.
async fn again(handle: &Handle, id: JobId) -> Result<Fields, Trouble> {
    let job = handle.job(id).await?;
    let mut fields = Fields::default();
    fields.set("kind", job.kind);
    fields.set("as", "json");
    fields
        .set("payload", indent::indent(job.payload.as_ref().map_or("null", |json| json.as_str())));
    fields.set("queue", job.queue.as_str());
    fields.set("priority", job.priority.to_string());
    fields.set("max_attempts", job.max_attempts.to_string());
    fields.set("timeout", job.timeout.to_string());
    fields.set("tags", job.tags.join("\n"));
    if job.at_most_once {
        fields.set("at_most_once", "yes");
    }
    if job.lane == Lane::Remote {
        fields.set("lane", "remote");
    }
    Ok(fields)
}

async fn submit(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    let fields = form::read(&request, body, &handle).await?;
    let refused =
        |status, problems| Ok(with_status(status, &SubmitPage::new(&handle, &fields, problems)));
    let (submission, key) = match read(&fields) {
        Ok(read) => read,
        Err(problems) => return refused(StatusCode::UNPROCESSABLE_ENTITY, problems),
    };
    match handle.submit_keyed(submission, key).await {
        Ok(job) => go_to(format!("/jobs/{}", job.value.id)),
        Err(Error::Invalid(problems)) => refused(StatusCode::UNPROCESSABLE_ENTITY, problems),
        Err(error) => {
            let place = match &error {
                Error::Refused(Refusal::KeyReused) => "/idempotency_key",
                Error::Refused(Refusal::TooManyQueues(_)) => "/queue",
                _ => "",
            };
            // What was typed stays in the form.
            let problem = Problem::new(place, &error);
            refused(Trouble::from(error).status(), vec![problem])
        }
    }
}

/// Reads the whole form.
fn read(fields: &Fields) -> Result<(Submission, Option<IdempotencyKey>), Vec<Problem>> {
    let kind = fields.word("kind").unwrap_or_default();
    let shape = Shape::of(kind, fields.get("as") == Some("json"));
    let payload = shape.payload(fields);
    let options = options::read(fields);
    match (payload, options) {
        (Ok(payload), Ok(options)) => {
            let submission = Submission { kind: kind.to_owned(), payload, ..options };
            let key = key(fields, &submission).map_err(|problem| vec![problem])?;
            Ok((submission, key))
        }
        (payload, options) => {
            Err(payload.err().into_iter().chain(options.err()).flatten().collect())
        }
    }
}

/// The idempotency key, with the fingerprint of what is submitted under it.
fn key(fields: &Fields, submission: &Submission) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = fields.word("idempotency_key") else {
        return once::key(fields, submission).map_err(|error| Problem::new("", error));
    };
    if key.len() > MAX_KEY || !key.bytes().all(|letter| (b' '..=b'~').contains(&letter)) {
        let why = format!("is 1 to {MAX_KEY} visible ASCII characters");
        return Err(Problem::new("/idempotency_key", why));
    }
    let text = serde_json::to_vec(submission).map_err(|error| Problem::new("", error))?;
    let fingerprint = Sha256::new().chain_update("/submit\0").chain_update(text).finalize();
    Ok(Some(IdempotencyKey { key: key.to_owned(), fingerprint: fingerprint.into() }))
}

impl SubmitPage {
    /// The form as it was filled in, each problem at its field.
    fn new(handle: &Handle, fields: &Fields, problems: Vec<Problem>) -> Self {
        let kind = fields.word("kind").unwrap_or("http").to_owned();
        let asks_json = fields.get("as") == Some("json");
        let shape = Shape::of(&kind, asks_json);
        let mut payload = shape.inputs(handle.config());
        let mut options = options::inputs(handle.config());
        for input in payload.iter_mut().chain(&mut options) {
            input.fill(fields);
        }
        let mut elsewhere = Vec::new();
        for problem in problems {
            if let Some(problem) = place(problem, &mut payload, &mut options) {
                elsewhere.push(problem.to_string());
            }
        }
        let way = |word: Option<&str>| {
            query(&[("kind", Some(kind.clone())), ("as", word.map(str::to_owned))])
        };
        let other_way = match (asks_json, Shape::of(&kind, false)) {
            (_, Shape::Json) => None,
            (true, _) => Some(way(None)),
            (false, _) => Some(way(Some("json"))),
        };
        let mut kinds = handle.kinds();
        if !kinds.contains(&kind) {
            kinds.push(kind.clone());
        }
        Self {
            dress: Dress::still("Submit a job", Place::Submit),
            kinds,
            about: kinds::about(&kind),
            kind,
            as_json: asks_json,
            other_way,
            payload,
            options,
            problems: elsewhere,
            once: fields.get("once").unwrap_or_default().to_owned(),
            from: None,
        }
    }
}
