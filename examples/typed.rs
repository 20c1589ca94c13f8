//! A kind of job as a Rust type, with state of the application and defaults.
//!
//! The payload, the name of the kind and the type of its result belong together, so that a handler, a
//! submission and a result cannot disagree. Run it with `cargo run --example typed`.

#![allow(clippy::print_stdout, reason = "the example prints its results")]

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::config::Config;
use longshore::executor::{Context, HandlerError};
use longshore::job::{JobKind, KindDefaults, Span, Submission};
use longshore::server::{Server, WaitError};
use serde::{Deserialize, Serialize};

/// Payload of a `send-mail` job.
#[derive(Serialize, Deserialize)]
struct SendMail {
    to: String,
    subject: String,
}

/// Result of a `send-mail` job.
#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    number: u32,
}

impl JobKind for SendMail {
    const KIND: &'static str = "send-mail";
    type Output = Receipt;
}

/// A client of a mail server, which all handlers share.
struct Mailer {
    sender: String,
    sent: AtomicU32,
}

/// Runs a `send-mail` job.
async fn send_mail(context: Context, mail: SendMail) -> Result<Receipt, HandlerError> {
    let mailer = context.state::<Mailer>()?;
    if !mail.to.contains('@') {
        // No further attempt would succeed.
        let message = format!("{:?} is not an address", mail.to);
        return Err(HandlerError::fatal(message).code("bad_address"));
    }
    context.log(format!("{} to {}: {}", mailer.sender, mail.to, mail.subject));
    Ok(Receipt { number: mailer.sent.fetch_add(1, Ordering::Relaxed) + 1 })
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let config = Config { database: directory.path().join("jobs.db").into(), ..Config::default() };
    let defaults = KindDefaults {
        queue: Some("mail".parse()?),
        timeout: Some(Span::from_secs(30)),
        max_attempts: Some(3),
        ..KindDefaults::default()
    };
    let server = Server::builder(config)
        .state(Mailer { sender: "shop@example.com".into(), sent: AtomicU32::new(0) })
        .job_handler(send_mail)
        .kind_defaults(SendMail::KIND, defaults)
        .start()?;
    let handle = server.handle();

    // The compiler knows the type of the result.
    let mail = SendMail { to: "ann@example.com".into(), subject: "Your order".into() };
    let job = handle.submit_job(&mail).await?;
    let finished = job.wait(Duration::from_secs(10)).await?;
    let (job, receipt) = (finished.job, finished.output);
    println!("job {} in queue {} sent mail number {}", job.id, job.queue, receipt.number);
    println!("timeout {}, at most {} attempts", job.timeout, job.max_attempts);

    // A submission overrides the defaults of its kind.
    let urgent = Submission { queue: Some("urgent".into()), ..Submission::of(&mail)? };
    let job = handle.submit_as::<SendMail>(urgent).await?;
    let finished = job.wait(Duration::from_secs(10)).await?;
    println!(
        "job {} in queue {} sent mail number {}",
        finished.job.id, finished.job.queue, finished.output.number
    );

    // A failed job is an error of its own.
    let mail = SendMail { to: "nowhere".into(), subject: "Your order".into() };
    let job = handle.submit_job(&mail).await?;
    match job.wait(Duration::from_secs(10)).await {
        Err(WaitError::Failed { id, error }) => println!("job {id} failed: {}", error.message),
        other => return Err(format!("unexpected: {other:?}").into()),
    }
    server.shutdown().await;
    Ok(())
}
