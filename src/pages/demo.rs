//! `/demo`: what Longshore does, to see and to try.
//!
//! Each panel makes requests to the API, which the script sends and follows. Without the script its
//! buttons are forms that submit the same jobs.

mod button;
mod call;
mod questions;

use actix_web::http::header::HOST;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::config::{Config, Lanes};
use crate::job::Lane;
use crate::job::queue::{QueueChange, QueueName};
use crate::pages::answer::{Answered, action, go_to, page, show};
use crate::pages::dress::{Dress, Place, query};
use crate::pages::fields::Fields;
use crate::pages::trouble::Trouble;
use crate::pages::{form, once};
use crate::server::Handle;
use button::{Asked, Button, ECHOES, NARROW_QUEUE, SLEEPERS, SLOTS, WORKERS};
use call::Call;

pub(crate) use button::{ASYNC_KIND, COMMAND, THREAD_KIND};
pub(crate) use questions::{PROVIDER, QUESTIONS, body, submission};

/// The model that is asked where none is named: any name will do for `longshore mock-llm`.
const MODEL: &str = "mock";

pub(super) fn all() -> Resource {
    page("/demo", look)
}

pub(super) fn act() -> Resource {
    action("/demo/{button}", press)
}

/// A request with the line for a shell that makes it.
struct Line {
    call: Call,
    curl: String,
}

/// A lane and the request that has it work.
struct Trial {
    lane: Lane,
    lines: Vec<Line>,
}

/// A provider to choose.
struct Choice<'a> {
    name: &'a str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "demo.html")]
struct DemoPage<'a> {
    dress: Dress,
    asked: Asked,
    /// None where no model server is configured.
    providers: Vec<Choice<'a>>,
    /// Empty where the server does not have the work of the demonstration.
    trials: Vec<Trial>,
    lanes: Lanes,
    cores: usize,
    start: Vec<Line>,
    joke: Vec<Line>,
    semaphore: Vec<Line>,
    questions: Vec<Line>,
    echoes: Vec<Line>,
    once: String,
}

async fn look(request: HttpRequest, handle: Data<Handle>) -> Answered {
    let fields = Fields::of_query(&request)?;
    let (config, asked) = (handle.config(), whom(&fields, handle.config()));
    let page = DemoPage::new(&origin(&request), asked, config, has_work(&handle));
    show(&page.map_err(Trouble::bad)?)
}

impl<'a> DemoPage<'a> {
    fn new(
        origin: &str,
        asked: Asked,
        config: &'a Config,
        has_work: bool,
    ) -> Result<Self, serde_json::Error> {
        let line = |call: Call| Line { curl: call.curl(origin), call };
        let lines = |button: Button, about| Ok(vec![line(button.call(about, &asked)?)]);
        let one = submission(&asked.provider, &asked.model, QUESTIONS[0])?;
        let one =
            Call::one("one", "One of ten questions, and wait for its end", "?wait=60s", &one)?;
        let limit = Call::limit("limit", "At most five at once", NARROW_QUEUE, SLOTS);
        let lanes = [
            (Lane::Async, "Four jobs in the lane async"),
            (Lane::Thread, "The same four in the lane thread"),
            (Lane::Process, "The same four in the lane process"),
        ];
        let trial = |(lane, about)| Ok(Trial { lane, lines: lines(Button::Work(lane), about)? });
        let lanes = lanes.into_iter().filter(|_| has_work);
        let trials: Result<_, serde_json::Error> = lanes.map(trial).collect();
        Ok(Self {
            dress: Dress::still("Demo", Place::Demo),
            providers: choices(&asked, config),
            trials: trials?,
            lanes: config.lanes,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            start: lines(Button::Start, "Two jobs that sleep for five seconds")?,
            joke: lines(Button::Joke, "A question as a job")?,
            semaphore: vec![
                line(limit),
                line(Button::Semaphore.call("Twenty jobs for that queue", &asked)?),
            ],
            questions: vec![
                line(one),
                line(Button::Questions.call("All ten together, as a batch", &asked)?),
            ],
            echoes: lines(Button::Echoes, "Small jobs beside them")?,
            once: once::word(),
            asked,
        })
    }
}

/// Where the page is that asks a model.
pub(crate) fn address(model: &str) -> String {
    let model = Some(model).filter(|model| *model != MODEL).map(str::to_owned);
    format!("/demo{}", query(&[("model", model)]))
}

/// Where the browser found this server.
fn origin(request: &HttpRequest) -> String {
    let info = request.connection_info();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    format!("{}://{}", info.scheme(), host.unwrap_or_else(|| info.host()))
}

/// Whom to ask: who was chosen, else the demonstration's own, else the first there is.
fn whom(fields: &Fields, config: &Config) -> Asked {
    let chosen = [fields.word("provider"), Some(PROVIDER)].into_iter().flatten();
    let known =
        chosen.filter(|name| config.providers.contains_key(*name)).map(str::to_owned).next();
    let provider = known.or_else(|| config.providers.keys().next().cloned());
    Asked {
        provider: provider.unwrap_or_else(|| PROVIDER.into()),
        model: fields.word("model").unwrap_or(MODEL).into(),
    }
}

fn choices<'a>(asked: &Asked, config: &'a Config) -> Vec<Choice<'a>> {
    let names = config.providers.keys();
    names.map(|name| Choice { name, is_chosen: *name == asked.provider }).collect()
}

/// Whether the server can do the heavy work in each lane.
fn has_work(handle: &Handle) -> bool {
    let kinds = handle.kinds();
    let has = |kind: &str| kinds.iter().any(|known| known == kind);
    has(ASYNC_KIND) && has(THREAD_KIND) && handle.config().commands.contains_key(COMMAND)
}

/// What a button does where there is no script: submits the jobs, and leads to them.
async fn press(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    let fields = form::read(&request, body, &handle).await?;
    let word = request.match_info().get("button").unwrap_or_default();
    let button = Button::of(word);
    let button = button.ok_or_else(|| Trouble::none(format!("the demo does not do {word}")))?;
    let asked = whom(&fields, handle.config());
    let mut jobs = button.jobs(&asked).map_err(Trouble::bad)?;
    let key = once::key(&fields, &(word, &jobs)).map_err(Trouble::bad)?;
    if button == Button::Joke
        && let Some(joke) = jobs.pop()
    {
        let job = handle.submit_keyed(joke, key).await?.value;
        return go_to(format!("/jobs/{}", job.id));
    }
    if button == Button::Semaphore {
        let queue: QueueName = NARROW_QUEUE.parse().map_err(Trouble::bad)?;
        let change = QueueChange { max_running: Some(Some(SLOTS)), ..QueueChange::default() };
        handle.configure(queue, change).await?;
    }
    let batch = handle.submit_batch(Some(button.name()), jobs, key).await?.value;
    go_to(format!("/batches/{}", batch.id))
}
