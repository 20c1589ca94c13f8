//! The server embedded in an application, with the application's own handlers.

mod deliveries;
mod listeners;
mod mounted;
mod own_addresses;
mod typed;

use std::time::Duration;

use longshore::config::Config;
use longshore::executor::{Context, HandlerError};
use longshore::job::{State, Submission};
use longshore::server::Server;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kit::embedded::{builder, code, run, single_attempt};
use crate::kit::{Connection, TEST_TIMEOUT};

#[derive(Deserialize, Serialize)]
struct Sum {
    numbers: Vec<i64>,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
struct Total {
    total: i64,
}

async fn sum(_: Context, sum: Sum) -> Result<Total, HandlerError> {
    match sum.numbers.as_slice() {
        [] => Err(HandlerError::fatal("nothing to add up").code("empty")),
        numbers => Ok(Total { total: numbers.iter().sum() }),
    }
}

#[actix_web::test]
async fn handlers_take_and_return_the_applications_own_types() {
    let directory = tempfile::tempdir().unwrap();
    let blocking = |_: Context, sum: Sum| -> Result<Total, HandlerError> {
        Ok(Total { total: sum.numbers.iter().product() })
    };
    let server = builder(&directory)
        .handler("sum", sum)
        .blocking_handler("product", blocking)
        .start()
        .unwrap();
    let handle = server.handle();
    for (kind, lane, total) in [("sum", "async", 9), ("product", "thread", 24)] {
        let job = run(&handle, single_attempt(kind, &json!({"numbers": [2, 3, 4]}))).await;
        assert_eq!((job.state, job.lane.as_str()), (State::Completed, lane));
        assert_eq!(job.result_json().unwrap().read::<Total>().unwrap(), Total { total });
        let job = run(&handle, single_attempt(kind, &json!({"numbers": "two"}))).await;
        assert_eq!((job.state, code(&job)), (State::Failed, "bad_payload"));
    }
    let job = run(&handle, single_attempt("sum", &json!({"numbers": []}))).await;
    assert_eq!((job.state, code(&job)), (State::Failed, "empty"));
    server.shutdown().await;
}

#[actix_web::test]
async fn the_progress_of_a_handler_is_shown_over_http() {
    let directory = tempfile::tempdir().unwrap();
    let (release, released) = watch::channel(false);
    let slow = move |context: Context, (): ()| {
        let mut released = released.clone();
        async move {
            context.progress(40.0, "halfway there");
            released.wait_for(|is_released| *is_released).await?;
            Ok::<_, HandlerError>("done")
        }
    };
    let server = builder(&directory).handler("slow", slow).start().unwrap();
    let handle = server.handle();
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let (front, addr) =
        longshore::http::start(handle.clone(), longshore::http::bind(loopback).unwrap(), |_| {})
            .unwrap();
    let front_handle = front.handle();
    actix_web::rt::spawn(front);
    let job = handle.submit(single_attempt("slow", &json!(null))).await.unwrap();
    let path = format!("/v1/jobs/{}", job.id);
    let read_progress = move || {
        let answer = Connection::open(addr).unwrap().request("GET", &path, &[], b"").unwrap();
        answer.expect(200)["progress"].clone()
    };
    let mut progress = Value::Null;
    for _ in 0..1_000 {
        progress = tokio::task::spawn_blocking(read_progress.clone()).await.unwrap();
        if !progress.is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(progress, json!({"percent": 40.0, "message": "halfway there"}));
    release.send(true).unwrap();
    let job = handle.wait(job.id, TEST_TIMEOUT).await.unwrap();
    assert_eq!((job.state, job.result_json().unwrap().as_str()), (State::Completed, "\"done\""));
    front_handle.stop(true).await;
    server.shutdown().await;
}

#[actix_web::test]
async fn a_drain_releases_a_job_whose_handler_does_not_return() {
    let directory = tempfile::tempdir().unwrap();
    let never = |context: Context, (): ()| async move {
        context.stopped().await;
        std::future::pending::<Result<(), HandlerError>>().await
    };
    let mut config = Config { database: directory.path().join("a.db").into(), ..Config::default() };
    config.shutdown_grace = "100ms".parse().unwrap();
    let server = Server::builder(config).handler("never", never).start().unwrap();
    let handle = server.handle();
    let job = handle.submit(single_attempt("never", &json!(null))).await.unwrap();
    while handle.job(job.id).await.unwrap().state != State::Running {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.drain().await;
    let job = handle.job(job.id).await.unwrap();
    assert_eq!((job.state, job.attempt), (State::Queued, 0));
    server.stop();
    assert!(handle.submit(single_attempt("never", &json!(null))).await.is_err());
}

#[actix_web::test]
async fn a_job_runs_after_its_handler_changed_between_async_and_blocking() {
    let directory = tempfile::tempdir().unwrap();
    let delayed = |kind: &str| {
        let submission = Submission::new(kind, &json!(null)).unwrap();
        Submission { delay: Some("300ms".parse().unwrap()), ..submission }
    };
    let blocking = |_: Context, (): ()| Ok::<_, HandlerError>("blocking");
    let non_blocking = |_: Context, (): ()| async { Ok::<_, HandlerError>("async") };
    let before = builder(&directory).blocking_handler("a", blocking).handler("b", non_blocking);
    let before = before.start().unwrap();
    let a = before.handle().submit(delayed("a")).await.unwrap().id;
    let b = before.handle().submit(delayed("b")).await.unwrap().id;
    before.shutdown().await;
    let after = builder(&directory).handler("a", non_blocking).blocking_handler("b", blocking);
    let after = after.start().unwrap();
    for (id, result) in [(a, json!("async")), (b, json!("blocking"))] {
        let job = after.handle().wait(id, TEST_TIMEOUT).await.unwrap();
        assert_eq!(job.result_json().unwrap().read::<Value>().unwrap(), result, "{job:?}");
    }
    after.shutdown().await;
}
