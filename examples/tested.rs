//! How an application tests its jobs: one handler alone, and a server whose clock the test moves.
//!
//! The functions with assertions would be tests with `#[actix_web::test]` in an application, which
//! needs the feature `testing` of this crate. Run them with `cargo run --example tested`.

#![allow(clippy::print_stdout, reason = "the example prints what it has tested")]

use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use longshore::executor::{Context, HandlerError};
use longshore::job::{JobKind, Span, State, Submission};
use longshore::server::Builder;
use longshore::testing::{TestAttempt, TestServer};
use serde::{Deserialize, Serialize};

/// Payload of a `remind` job.
#[derive(Serialize, Deserialize)]
struct Remind {
    to: String,
}

impl JobKind for Remind {
    const KIND: &'static str = "remind";
    type Output = usize;
}

/// The reminders that were sent, in place of a mail server.
#[derive(Default)]
struct Sent(Mutex<Vec<String>>);

/// Runs a `remind` job; the result is the number of reminders so far. The first attempt fails.
async fn remind(context: Context, reminder: Remind) -> Result<usize, HandlerError> {
    if context.attempt() == 1 {
        return Err(HandlerError::retryable("the mail server is busy").code("busy"));
    }
    let sent = context.state::<Sent>()?;
    let mut sent = sent.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    sent.push(reminder.to);
    Ok(sent.len())
}

/// What the application and its tests have in common.
fn prepare(builder: Builder) -> Builder {
    builder.job_handler(remind).state(Sent::default())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    a_busy_mail_server_is_tried_again().await;
    println!("a handler alone");
    a_reminder_is_sent_after_a_day().await?;
    println!("a delay of a day");
    all_attempts_run_without_waiting().await?;
    println!("all attempts");
    Ok(())
}

/// Tests the handler without a server.
async fn a_busy_mail_server_is_tried_again() {
    let ann = Remind { to: "ann@example.com".into() };
    let first = TestAttempt::new().state(Sent::default()).run(remind, &ann).await;
    assert_eq!((first.error_code(), first.is_retryable()), (Some("busy"), true));
    let second = TestAttempt::new().state(Sent::default()).attempt(2).run(remind, &ann).await;
    assert_eq!(second.output(), Some(1));
}

/// Tests a delay: the clock of the server stands still until the test moves it.
async fn a_reminder_is_sent_after_a_day() -> Result<(), Box<dyn Error>> {
    let server = TestServer::start(prepare)?;
    let ann = Remind { to: "ann@example.com".into() };
    let tomorrow = Some(Span::from_secs(24 * 3600));
    let submission = Submission { delay: tomorrow, ..Submission::of(&ann)? };
    let job = server.handle().submit_as::<Remind>(submission).await?;

    server.advance(Duration::from_secs(23 * 3600)).await?;
    server.run_until_idle().await?;
    assert_eq!(job.job().await?.state, State::Scheduled);

    server.advance(Duration::from_secs(3600)).await?;
    server.run_until_idle().await?;
    assert_eq!(job.job().await?.state, State::Retrying);
    server.shutdown().await;
    Ok(())
}

/// Tests retries: the clock moves to each next attempt by itself.
async fn all_attempts_run_without_waiting() -> Result<(), Box<dyn Error>> {
    let server = TestServer::start(prepare)?;
    let job = server.handle().submit_job(&Remind { to: "ann@example.com".into() }).await?;
    server.run_all().await?;
    let finished = job.wait(Duration::ZERO).await?;
    assert_eq!((finished.output, finished.job.attempt), (1, 2));
    server.shutdown().await;
    Ok(())
}
