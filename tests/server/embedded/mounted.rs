//! The API and the pages mounted into an actix-web application of the test's own.

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use longshore::config::Config;
use longshore::server::{Handle, Server};
use longshore::{http, pages};
use serde_json::json;
use tempfile::TempDir;

/// Starts a server that accepts the host name `jobs.example.com`.
fn start(directory: &TempDir) -> Server {
    let config = Config {
        database: directory.path().join("a.db").into(),
        hosts: vec!["jobs.example.com".into()],
        ..Config::default()
    };
    Server::builder(config).start().unwrap()
}

/// Sends a request to an application with the route `/own` beside the jobs.
async fn call(handle: Handle, request: TestRequest) -> ServiceResponse {
    let own = web::get().to(|| async { "own" });
    let app = App::new().route("/own", own).service(http::scope(handle, pages::routes));
    let app = init_service(app).await;
    call_service(&app, request.to_request()).await.map_into_boxed_body()
}

#[actix_web::test]
async fn the_api_and_the_pages_answer_beside_the_applications_own_routes() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory);
    let handle = server.handle();
    let get = |path: &str| TestRequest::get().uri(path).insert_header(("Accept", "text/html"));
    let submit = TestRequest::post().uri("/v1/jobs").set_json(json!({"kind": "echo"}));
    let response = call(handle.clone(), submit).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers().get("location").unwrap(), "/v1/jobs/1");
    for path in ["/v1/jobs/1", "/healthz", "/", "/jobs/1", "/assets/style.css"] {
        let response = call(handle.clone(), get(path)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(read_body(call(handle.clone(), get("/own")).await).await, "own");
    let response = call(handle.clone(), get("/v1/nothing")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let content_type = response.headers().get("content-type").unwrap();
    assert_eq!(content_type, "application/problem+json");
    server.shutdown().await;
}

#[actix_web::test]
async fn requests_of_other_sites_and_for_other_names_are_refused_on_mounted_routes() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory);
    let handle = server.handle();
    let status = async |path: &str, header: (&'static str, &'static str)| {
        let request = TestRequest::get().uri(path).insert_header(header);
        call(handle.clone(), request).await.status()
    };
    for path in ["/v1/jobs", "/jobs"] {
        for header in [
            ("Sec-Fetch-Site", "cross-site"),
            ("Origin", "http://evil.example"),
            ("Host", "evil.example"),
        ] {
            assert_eq!(status(path, header).await, StatusCode::FORBIDDEN, "{path} {header:?}");
        }
        // The names come from the configuration of the server.
        assert_eq!(status(path, ("Host", "jobs.example.com")).await, StatusCode::OK, "{path}");
    }
    // The application decides about its own routes.
    assert_eq!(status("/own", ("Host", "evil.example")).await, StatusCode::OK);
    server.shutdown().await;
}
