//! An application that runs the job server in its own process, without HTTP.
//!
//! It registers two kinds of jobs, submits jobs, waits for their results and stops. Run it with
//! `cargo run --example embedded`.

#![allow(clippy::print_stdout, reason = "the example prints its results")]
#![allow(clippy::needless_pass_by_value, reason = "handlers own their context and payload")]

use std::error::Error;
use std::time::Duration;

use longshore::config::Config;
use longshore::executor::{Context, HandlerError};
use longshore::job::{Job, Span, State, Submission};
use longshore::server::{Handle, Server};
use serde::{Deserialize, Serialize};

/// Payload of a `greet` job.
#[derive(Serialize, Deserialize)]
struct Guest {
    name: String,
}

/// Result of a `greet` job.
#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    text: String,
    attempt: u32,
}

/// Runs a `greet` job. An async handler may await but must not block, because it shares its thread
/// with many other jobs.
///
/// The first attempt fails, to show that an error that is returned with `?` is retried.
async fn greet(context: Context, guest: Guest) -> Result<Greeting, HandlerError> {
    if context.attempt() == 1 {
        "not a number".parse::<u32>()?;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(Greeting { text: format!("Hello {}", guest.name), attempt: context.attempt() })
}

/// Payload of a `primes` job.
#[derive(Serialize, Deserialize)]
struct Range {
    below: u64,
}

/// Runs a `primes` job: counts the primes below a number. A blocking handler has a thread to itself.
///
/// It reports its progress, and returns early if the job is cancelled, reaches its deadline or the
/// server stops. The server cannot stop a thread from outside, so the handler must check this.
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
    let mut config =
        Config { database: directory.path().join("jobs.db").into(), ..Config::default() };
    config.jobs.backoff.initial = Span::from_millis(200);
    let server = Server::builder(config)
        .handler("greet", greet)
        .blocking_handler("primes", primes)
        .start()?;
    let handle = server.handle();

    let steps = async {
        submit_and_wait(&handle).await?;
        wait_for_many(&handle).await?;
        cancel_while_it_runs(&handle).await
    };
    let result = steps.await;

    // Running jobs end or are released. Jobs that wait are on disk and run after the next start.
    server.shutdown().await;
    println!("stopped");
    result
}

/// Submits one job and waits for its result. When `submit` returns, the job is on disk.
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

/// Submits a batch, which is several jobs in one transaction, and waits until all of them have ended.
async fn wait_for_many(handle: &Handle) -> Result<(), Box<dyn Error>> {
    let jobs = [10, 100, 1_000].map(|below| Submission::new("primes", &Range { below }));
    let jobs = jobs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let batch = handle.submit_batch(Some("primes".into()), jobs, None).await?.value.batch;
    let batch = handle.wait_batch(batch.id, Duration::from_secs(10)).await?;
    println!("batch {}: {} of {} completed", batch.id, batch.counts.completed, batch.total);
    Ok(())
}

/// Cancels a job that would take very long, while it runs.
async fn cancel_while_it_runs(handle: &Handle) -> Result<(), Box<dyn Error>> {
    let job = handle.submit(Submission::new("primes", &Range { below: u64::MAX })?).await?;
    let mut running = handle.job(job.id).await?;
    while running.progress.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        running = handle.job(job.id).await?;
    }
    let message = running.progress.and_then(|progress| progress.message).unwrap_or_default();
    println!("job {} is {}: {message}", running.id, running.state);
    handle.cancel(job.id).await?;
    let job = handle.wait(job.id, Duration::from_secs(10)).await?;
    println!("job {} is {}", job.id, job.state);
    Ok(())
}

/// Returns the result of a completed job, decoded to the type that its handler returns.
fn result_of<T: serde::de::DeserializeOwned>(job: &Job) -> Result<T, Box<dyn Error>> {
    match (&job.state, job.result_json()) {
        (State::Completed, Some(result)) => {
            Ok(result.read().map_err(|problem| problem.to_string())?)
        }
        (state, _) => Err(format!("job {} is {state}: {:?}", job.id, job.error).into()),
    }
}
