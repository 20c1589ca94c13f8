//! Kinds as types, state of the application, and defaults by kind, in a server inside the test.

use std::time::Duration;

use longshore::config::Config;
use longshore::executor::{Context, HandlerError};
use longshore::job::retry::Backoff;
use longshore::job::submission::BackoffChange;
use longshore::job::{JobKind, KindDefaults, Lane, Span, State, Submission};
use longshore::server::{Error, Server, StartError, WaitError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kit::TEST_TIMEOUT;
use crate::kit::embedded::{builder, code, run, single_attempt};

#[derive(Serialize, Deserialize)]
struct Divide {
    dividend: i64,
    divisor: i64,
}

impl JobKind for Divide {
    const KIND: &'static str = "divide";
    type Output = Quotient;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Quotient {
    quotient: i64,
}

async fn divide(
    _: Context,
    Divide { dividend, divisor }: Divide,
) -> Result<Quotient, HandlerError> {
    let quotient = dividend.checked_div(divisor);
    let quotient = quotient.ok_or_else(|| HandlerError::fatal("division by zero").code("zero"))?;
    Ok(Quotient { quotient })
}

/// Another type for the same kind, as after a change of the application.
#[derive(Serialize, Deserialize)]
struct Changed {
    dividend: i64,
    divisor: i64,
}

impl JobKind for Changed {
    const KIND: &'static str = "divide";
    type Output = i64;
}

#[derive(Serialize, Deserialize)]
struct Text(String);

impl JobKind for Text {
    const KIND: &'static str = "shout";
    type Output = String;
}

fn shout(_: Context, Text(mut text): Text) -> Result<String, HandlerError> {
    text.make_ascii_uppercase();
    Ok(text)
}

#[actix_web::test]
async fn a_typed_job_returns_a_typed_result_or_the_error_of_the_job() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        builder(&directory).job_handler(divide).blocking_job_handler(shout).start().unwrap();
    let handle = server.handle();
    let job = handle.submit_job(&Divide { dividend: 9, divisor: 3 }).await.unwrap();
    let finished = job.wait(TEST_TIMEOUT).await.unwrap();
    assert_eq!(finished.output, Quotient { quotient: 3 });
    assert_eq!((finished.job.id, finished.job.state), (job.id(), State::Completed));

    let error = handle.job_handle::<Changed>(job.id()).wait(TEST_TIMEOUT).await.unwrap_err();
    assert!(matches!(&error, WaitError::BadResult { id, .. } if *id == job.id()), "{error}");
    let error = handle.job_handle::<Text>(job.id()).wait(TEST_TIMEOUT).await.unwrap_err();
    assert!(error.to_string().ends_with("the job is of kind divide, not shout"), "{error}");

    let job = handle.submit_job(&Divide { dividend: 9, divisor: 0 }).await.unwrap();
    let error = job.wait(TEST_TIMEOUT).await.unwrap_err();
    assert_eq!(error.to_string(), "job 2 failed: division by zero (zero)");

    let job = handle.submit_job(&Text("loud".into())).await.unwrap();
    let finished = job.wait(TEST_TIMEOUT).await.unwrap();
    assert_eq!((finished.output.as_str(), finished.job.lane), ("LOUD", Lane::Thread));
    server.shutdown().await;
}

#[actix_web::test]
async fn a_typed_job_with_options_can_be_waited_for_and_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let server = builder(&directory).job_handler(divide).start().unwrap();
    let handle = server.handle();
    let payload = Divide { dividend: 1, divisor: 1 };
    let hour = Some(Span::from_secs(3600));
    let later = Submission { delay: hour, ..Submission::of(&payload).unwrap() };
    let job = handle.submit_as::<Divide>(later).await.unwrap();
    let error = job.wait(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "job 1 has not ended: it is scheduled");
    job.cancel().await.unwrap();
    let error = job.wait(TEST_TIMEOUT).await.unwrap_err();
    assert!(matches!(error, WaitError::Cancelled { .. }), "{error}");

    let other = Submission::new("echo", &payload).unwrap();
    let Err(Error::Invalid(problems)) = handle.submit_as::<Divide>(other).await else {
        panic!("the submission of another kind is accepted")
    };
    assert_eq!(problems[0].to_string(), "/kind: must be divide, but is echo");
    server.shutdown().await;
}

#[actix_web::test]
async fn handlers_share_the_state_of_the_application() {
    struct Rate(i64);
    let directory = tempfile::tempdir().unwrap();
    let convert =
        |context: Context, amount: i64| async move { Ok(context.state::<Rate>()?.0 * amount) };
    let missing = |context: Context, (): ()| context.state::<String>().map(|text| text.len());
    let server = builder(&directory)
        .state(Rate(2))
        .state(Rate(3))
        .handler("convert", convert)
        .blocking_handler("missing", missing)
        .start()
        .unwrap();
    let handle = server.handle();
    let job = run(&handle, single_attempt("convert", &json!(7))).await;
    assert_eq!(job.result_json().unwrap().as_str(), "21");
    let job = run(&handle, single_attempt("missing", &json!(null))).await;
    assert_eq!((job.state, code(&job)), (State::Failed, "missing_state"));
    let message = &job.error.as_ref().unwrap().message;
    assert!(message.contains("alloc::string::String"), "{message}");
    server.shutdown().await;
}

#[actix_web::test]
async fn the_configuration_overrides_the_defaults_of_the_application_and_a_submission_overrides_both()
 {
    let directory = tempfile::tempdir().unwrap();
    let text = "remote_kinds = ['print']\n\
                [jobs]\ntimeout = '9m'\nmax_attempts = 9\n[jobs.backoff]\njitter = 0.0\n\
                [kinds.divide]\ntimeout = '8m'\nbackoff = { factor = 3.0 }\n\
                [kinds.echo]\nqueue = 'echoes'\n[kinds.print]\nqueue = 'prints'";
    let config: Config = toml::from_str(text).unwrap();
    let config = Config { database: directory.path().join("a.db").into(), ..config };
    let application = KindDefaults {
        queue: Some("numbers".parse().unwrap()),
        timeout: Some(Span::from_secs(7)),
        max_attempts: Some(7),
        backoff: Some(BackoffChange {
            initial: Some(Span::from_secs(2)),
            factor: Some(7.0),
            ..BackoffChange::default()
        }),
    };
    let server = Server::builder(config)
        .job_handler(divide)
        .kind_defaults("divide", application)
        .start()
        .unwrap();
    let handle = server.handle();
    let hour = Some(Span::from_secs(3600));
    let payload = Divide { dividend: 1, divisor: 1 };
    let later = || Submission { delay: hour, ..Submission::of(&payload).unwrap() };

    let job = handle.submit(later()).await.unwrap();
    assert_eq!((job.queue.as_str(), job.max_attempts), ("numbers", 7));
    assert_eq!(job.timeout, Span::from_secs(8 * 60));
    let own = Submission { queue: Some("own".into()), max_attempts: Some(1), ..later() };
    let job = handle.submit(own).await.unwrap();
    assert_eq!((job.queue.as_str(), job.max_attempts), ("own", 1));

    let echo = Submission { delay: hour, ..Submission::new("echo", &1).unwrap() };
    let job = handle.submit(echo.clone()).await.unwrap();
    assert_eq!((job.queue.as_str(), job.max_attempts), ("echoes", 9));
    assert_eq!(job.timeout, Span::from_secs(9 * 60));
    let job = handle.submit(Submission { lane: Some(Lane::Remote), ..echo }).await.unwrap();
    assert_eq!((job.queue.as_str(), job.lane), ("echoes", Lane::Remote));
    let job = handle.submit(Submission::new("print", &1).unwrap()).await.unwrap();
    assert_eq!((job.queue.as_str(), job.lane), ("prints", Lane::Remote));
    server.shutdown().await;
}

#[actix_web::test]
async fn a_retry_follows_the_backoff_of_the_kind() {
    let directory = tempfile::tempdir().unwrap();
    let fails = |_: Context, (): ()| async { Err::<(), _>(HandlerError::retryable("no")) };
    let backoff = BackoffChange {
        initial: Some(Backoff::MAX),
        jitter: Some(0.0),
        ..BackoffChange::default()
    };
    let defaults = KindDefaults { backoff: Some(backoff), ..KindDefaults::default() };
    let server = builder(&directory)
        .handler("fails", fails)
        .kind_defaults("fails", defaults)
        .start()
        .unwrap();
    let handle = server.handle();
    let id = handle.submit(Submission::new("fails", &()).unwrap()).await.unwrap().id;
    let job = loop {
        let job = handle.job(id).await.unwrap();
        if job.state == State::Retrying {
            break job;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let failed_at = job.failures.unwrap()[0].at;
    assert_eq!(job.run_at.since(failed_at), Backoff::MAX.duration());
    server.shutdown().await;
}

#[actix_web::test]
async fn defaults_of_an_unknown_kind_and_invalid_defaults_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let start_error = |kind: &str, defaults: KindDefaults| -> String {
        let builder = builder(&directory).job_handler(divide).kind_defaults(kind, defaults);
        match builder.start() {
            Err(error @ StartError::Registry(_)) => error.to_string(),
            other => panic!("unexpected: {:?}", other.err()),
        }
    };
    assert_eq!(
        start_error("devide", KindDefaults::default()),
        "there are defaults for the kind devide, which is not known; known kinds: chat, command, \
         divide, echo, http, sleep; list a kind that only your remote workers run in remote_kinds"
    );
    let defaults = KindDefaults { max_attempts: Some(0), ..KindDefaults::default() };
    assert_eq!(
        start_error("divide", defaults),
        "the defaults of the kind divide are invalid: /max_attempts: must be between 1 and 1000"
    );
    let queue = Some("callbacks".parse().unwrap());
    assert_eq!(
        start_error("divide", KindDefaults { queue, ..KindDefaults::default() }),
        "the defaults of the kind divide are invalid: \
         /queue: is reserved for the deliveries of webhooks; use another queue"
    );
}
