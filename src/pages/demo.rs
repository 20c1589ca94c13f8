//! `/demo`: panels that submit example jobs and show how they run.
//!
//! The script sends the requests of a panel to the API and follows the jobs. Without the script, the
//! buttons are forms that submit the same jobs.

mod button;
mod call;
mod questions;

use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::config::{Config, Lanes};
use crate::job::Lane;
use crate::job::queue::{QueueChange, QueueName};
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::fields::Fields;
use crate::pages::forms::form;
use crate::pages::forms::form_token;
use crate::pages::forms::origin::origin_of;
use crate::pages::parts::layout::{Layout, NavItem};
use crate::pages::parts::query::query_string;
use crate::pages::response::error_page::PageError;
use crate::pages::response::resource::{form_resource, page_resource};
use crate::pages::response::{PageResult, redirect_to, render};
use crate::server::Handle;
use button::{Button, ECHOES, HEAVY_JOBS, LIMITED_QUEUE, ModelTarget, SLEEPERS, SLOTS, WORK_QUEUE};
use call::Call;

pub(crate) use button::{ASYNC_KIND, COMMAND, THREAD_KIND};
#[cfg(feature = "cli")]
pub(crate) use call::shell_quoted;
#[cfg(feature = "cli")]
pub(crate) use questions::{BATCH_NAME, chat_body};
pub(crate) use questions::{PROVIDER, QUESTIONS, chat_submission};

/// Default model. `longshore mock-llm` accepts any name.
pub(crate) const DEFAULT_MODEL: &str = "mock";

pub(super) fn resource() -> Resource {
    page_resource("/demo", show_demo)
}

pub(super) fn buttons() -> Resource {
    form_resource("/demo/{button}", press)
}

/// A request with the `curl` command that makes it.
struct Example {
    call: Call,
    curl: String,
}

/// A lane and the request that runs the example work in it.
struct LaneDemo {
    lane: Lane,
    examples: Vec<Example>,
}

/// A provider in the selection list.
struct ProviderChoice<'a> {
    name: &'a str,
    is_selected: bool,
}

#[derive(Template)]
#[template(path = "demo.html")]
struct DemoPage<'a> {
    layout: Layout,
    target: ModelTarget,
    /// Empty if no provider is configured.
    providers: Vec<ProviderChoice<'a>>,
    /// Empty if the server does not have the kinds and the command of the demo.
    lane_demos: Vec<LaneDemo>,
    lanes: Lanes,
    cores: usize,
    /// Whether the user may use the queue named default, which most examples use.
    may_use_default: bool,
    /// Whether the user may set the limit of the limited queue, and use it.
    may_limit: bool,
    /// Whether the user may use the queues of the heavy work and of the jobs beside it.
    may_work: bool,
    start: Vec<Example>,
    joke: Vec<Example>,
    semaphore: Vec<Example>,
    questions: Vec<Example>,
    echoes: Vec<Example>,
    form_token: String,
}

async fn show_demo(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    let fields = Fields::from_query(&request)?;
    let may = Permissions::of(&handle);
    let (config, target) = (handle.config(), model_target(&fields, handle.config()));
    let form_token = form_token::generate()?;
    let has_heavy_work = has_heavy_work(&handle);
    let url = origin_of(&request, &handle).url();
    let page = DemoPage::new(may, &url, target, config, has_heavy_work, form_token);
    render(&page.map_err(PageError::bad_request)?)
}

impl<'a> DemoPage<'a> {
    fn new(
        may: Permissions,
        origin: &str,
        target: ModelTarget,
        config: &'a Config,
        has_heavy_work: bool,
        form_token: String,
    ) -> Result<Self, serde_json::Error> {
        let example = |call: Call| Example { curl: call.curl(origin), call };
        let examples = |button: Button, about| Ok(vec![example(button.call(about, &target)?)]);
        let one = chat_submission(&target.provider, &target.model, QUESTIONS[0])?;
        let one = Call::one(
            "one",
            "One of the ten questions; wait until it is finished",
            "?wait=60s",
            &one,
        )?;
        let limit =
            Call::limit("limit", "Limit the queue to five running jobs", LIMITED_QUEUE, SLOTS);
        let lanes = [
            (Lane::Async, "Four jobs in the async lane"),
            (Lane::Thread, "The same four jobs in the thread lane"),
            (Lane::Process, "The same four jobs in the process lane"),
        ];
        let lane_demo =
            |(lane, about)| Ok(LaneDemo { lane, examples: examples(Button::Work(lane), about)? });
        let lanes = lanes.into_iter().filter(|_| has_heavy_work);
        let lane_demos: Result<_, serde_json::Error> = lanes.map(lane_demo).collect();
        let may_use = |queue: &str| queue.parse().is_ok_and(|queue| may.see_queue(&queue));
        let may_limit = may.change_queues() && may_use(LIMITED_QUEUE);
        let may_use_default = may.see_queue(&QueueName::default());
        let may_work = may_use_default && may_use(WORK_QUEUE);
        Ok(Self {
            may_use_default,
            may_limit,
            may_work,
            layout: Layout::fixed(may, "Demo", NavItem::Demo),
            providers: provider_choices(&target, config),
            lane_demos: lane_demos?,
            lanes: config.lanes,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            start: examples(Button::Start, "Two jobs that sleep for five seconds")?,
            joke: examples(Button::Joke, "Ask for a joke as a job")?,
            semaphore: vec![
                example(limit),
                example(Button::Semaphore.call("Submit twenty jobs to that queue", &target)?),
            ],
            questions: vec![
                example(one),
                example(Button::Questions.call("All ten questions as a batch", &target)?),
            ],
            echoes: examples(Button::Echoes, "Small jobs at the same time")?,
            form_token,
            target,
        })
    }
}

/// Returns the path of the demo page that uses this model.
pub(crate) fn page_path(model: &str) -> String {
    let model = Some(model).filter(|model| *model != DEFAULT_MODEL).map(str::to_owned);
    format!("/demo{}", query_string(&[("model", model)]))
}

/// Returns the provider and the model to use. The provider is the selected one, or else the one of
/// `longshore demo`, or else the first that is configured.
fn model_target(fields: &Fields, config: &Config) -> ModelTarget {
    let candidates = [fields.trimmed("provider"), Some(PROVIDER)].into_iter().flatten();
    let known =
        candidates.filter(|name| config.providers.contains_key(*name)).map(str::to_owned).next();
    let provider = known.or_else(|| config.providers.keys().next().cloned());
    ModelTarget {
        provider: provider.unwrap_or_else(|| PROVIDER.into()),
        model: fields.trimmed("model").unwrap_or(DEFAULT_MODEL).into(),
    }
}

fn provider_choices<'a>(target: &ModelTarget, config: &'a Config) -> Vec<ProviderChoice<'a>> {
    let names = config.providers.keys();
    names.map(|name| ProviderChoice { name, is_selected: *name == target.provider }).collect()
}

/// Returns whether the server has the kinds and the command that run the heavy work in each lane.
fn has_heavy_work(handle: &Handle) -> bool {
    let kinds = handle.kinds();
    let has = |kind: &str| kinds.iter().any(|known| known == kind);
    has(ASYNC_KIND) && has(THREAD_KIND) && handle.config().commands.contains_key(COMMAND)
}

/// Handles a button without script: submits its jobs and redirects to them.
async fn press(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    let fields = form::read(&request, body, &handle).await?;
    let name = request.match_info().get("button").unwrap_or_default();
    let button = Button::by_name(name);
    let button = button
        .ok_or_else(|| PageError::not_found(format!("the demo has no button named {name}")))?;
    let target = model_target(&fields, handle.config());
    let mut jobs = button.jobs(&target).map_err(PageError::bad_request)?;
    let key =
        form_token::idempotency_key(&fields, &(name, &jobs)).map_err(PageError::bad_request)?;
    if button == Button::Joke
        && let Some(joke) = jobs.pop()
    {
        let job = handle.submit_keyed(joke, key).await?.value;
        return redirect_to(format!("/jobs/{}", job.id));
    }
    if button == Button::Semaphore {
        if !Permissions::of(&handle).change_queues() {
            let why =
                "this example sets the limits of a queue, which needs a key with the scope admin";
            return Err(PageError::new(StatusCode::FORBIDDEN, "Not allowed", why));
        }
        let queue: QueueName = LIMITED_QUEUE.parse().map_err(PageError::bad_request)?;
        let change = QueueChange { max_running: Some(Some(SLOTS)), ..QueueChange::default() };
        handle.configure(queue, change).await?;
    }
    let batch = handle.submit_batch(Some(button.batch_name()), jobs, key).await?.value.batch;
    redirect_to(format!("/batches/{}", batch.id))
}
