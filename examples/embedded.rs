//! An application with the job server inside: no second process, no HTTP.
//!
//! It registers two kinds of its own, submits jobs, waits for their results and stops. Run it with
//! `cargo run --example embedded`.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]
#![allow(clippy::needless_pass_by_value, reason = "handlers own their context and payload")]

use std::error::Error;
use std::time::Duration;

use longshore::config::Config;
use longshore::executor::{Context, HandlerError};
use longshore::job::{Job, Span, State, Submission};
use longshore::server::{Handle, Server};
use serde::{Deserialize, Serialize};

/// The payload of a `greet` job.
#[derive(Serialize, Deserialize)]
struct Guest {
    name: String,
}

/// Its result.
#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    text: String,
    attempt: u32,
}

/// An async handler: it may wait, and must not block, for it shares its thread with many.
///
/// The first attempt fails, to show that any error with `?` is tried again.
async fn greet(context: Context, guest: Guest) -> Result<Greeting, HandlerError> {
    if context.attempt() == 1 {
        "not a number".parse::<u32>()?;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(Greeting { text: format!("Hello {}", guest.name), attempt: context.attempt() })
}

/// The payload of a `primes` job.
#[derive(Serialize, Deserialize)]
struct Range {
    below: u64,
}

/// A blocking handler: it has a thread to itself. It tells how far it is, and ends early where its
/// job is cancelled, its time is over or the server stops; a thread cannot be ended from outside.
fn primes(context: Context, range: Range) -> Result<u64, HandlerError> {
    let mut count = 0;
    for number in 2..range.below {
        if number.is_multiple_of(1_000) {
            if context.is_stopped() {
                return Err(HandlerError::retryable("stopped"));
            }
            let percent = 100.0 * number as f64 / range.below as f64;
            context.progress(percent, format!("{count} so far"));
        }
        let is_prime = (2..).take_while(|d| d * d <= number).all(|d| !number.is_multiple_of(d));
        count += u64::from(is_prime);
    }
    Ok(count)
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let mut config = Config { database: directory.path().join("jobs.db"), ..Config::default() };
    config.jobs.backoff.initial = Span::from_millis(200);
    let server = Server::builder(config)
        .handler("greet", greet)
        .blocking_handler("primes", primes)
        .start()?;
    let handle = server.handle();

    let shown = async {
        submit_and_wait(&handle).await?;
        wait_for_many(&handle).await?;
        cancel_while_it_runs(&handle).await
    };
    let result = shown.await;

    // Running jobs end or are given back; what waits is on disk for the next start.
    server.shutdown().await;
    println!("stopped");
    result
}

/// When `submit` returns, the job is on disk.
async fn submit_and_wait(handle: &Handle) -> Result<(), Box<dyn Error>> {
    let guest = Guest { name: "world".into() };
    let job = handle.submit(Submission::new("greet", &guest)?).await?;
    println!("job {} is {}", job.id, job.state);
    let job = handle.wait(job.id, Duration::from_secs(10)).await?;
    let greeting: Greeting = result_of(&job)?;
    println!("job {} is {}: {} in attempt {}", job.id, job.state, greeting.text, greeting.attempt);
    for failure in job.failures.iter().flatten() {
        println!("  attempt {} had failed: {}", failure.attempt, failure.error.message);
    }
    Ok(())
}

/// Many jobs in one transaction, with joint counts and one end.
async fn wait_for_many(handle: &Handle) -> Result<(), Box<dyn Error>> {
    let ranges = [10, 100, 1_000].map(|below| Submission::new("primes", &Range { below }));
    let ranges = ranges.into_iter().collect::<Result<Vec<_>, _>>()?;
    let batch = handle.submit_batch(Some("primes".into()), ranges, None).await?.value;
    let batch = handle.wait_batch(batch.id, Duration::from_secs(10)).await?;
    println!("batch {}: {} of {} completed", batch.id, batch.counts.completed, batch.total);
    Ok(())
}

/// A job that would take very long is called off while it runs.
async fn cancel_while_it_runs(handle: &Handle) -> Result<(), Box<dyn Error>> {
    let job = handle.submit(Submission::new("primes", &Range { below: u64::MAX })?).await?;
    let mut now = handle.job(job.id).await?;
    while now.progress.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        now = handle.job(job.id).await?;
    }
    let message = now.progress.and_then(|progress| progress.message).unwrap_or_default();
    println!("job {} is {}: {message}", now.id, now.state);
    handle.cancel(job.id).await?;
    let job = handle.wait(job.id, Duration::from_secs(10)).await?;
    println!("job {} is {}", job.id, job.state);
    Ok(())
}

/// The result of a completed job, as the type that its handler gave.
fn result_of<T: serde::de::DeserializeOwned>(job: &Job) -> Result<T, Box<dyn Error>> {
    match (&job.state, job.given()) {
        (State::Completed, Some(result)) => {
            Ok(result.read().map_err(|problem| problem.to_string())?)
        }
        (state, _) => Err(format!("job {} is {state}: {:?}", job.id, job.error).into()),
    }
}
