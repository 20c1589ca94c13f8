//! Keys in an application's own server: its routes need a key that may do everything, unless they say
//! otherwise, and expiry follows the clock of the server.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, guard, web};
use longshore::auth::api_key::NewKey;
use longshore::auth::scope::{Scope, Scopes};
use longshore::server::Handle;
use longshore::testing::TestServer;
use longshore::{http, pages};

async fn hello() -> &'static str {
    "hello"
}

/// Adds routes of an application behind those of the API.
fn extend(config: &mut web::ServiceConfig) {
    config
        .service(http::public(web::resource("/open/{x}").to(hello)))
        .service(http::scoped(web::resource("/report").to(hello), Scope::Read))
        .service(web::resource("/secret").to(hello))
        // Its own path of a page is no page.
        .service(web::resource("/queues").guard(guard::Post()).to(hello));
    pages::routes(config);
    config.service(http::public(web::resource("/{any}").to(hello)));
}

async fn status(handle: &Handle, path: &str, secret: Option<&str>) -> StatusCode {
    let app = App::new().service(http::scope(handle.clone(), extend));
    let app = init_service(app).await;
    let mut request = TestRequest::get().uri(path);
    if let Some(secret) = secret {
        request = request.insert_header(("Authorization", format!("Bearer {secret}")));
    }
    call_service(&app, request.to_request()).await.status()
}

#[actix_web::test]
async fn an_application_opens_its_own_routes_one_by_one() {
    let server = TestServer::start(|builder| builder).unwrap();
    let handle = server.handle();
    for path in ["/open/1", "/report", "/secret", "/v1/jobs"] {
        assert_eq!(status(handle, path, None).await, StatusCode::OK, "{path}");
    }
    let ops = handle.create_key(NewKey::admin("ops".parse().unwrap())).await.unwrap().secret;
    let read = NewKey { scopes: Scopes::of(&[Scope::Read]), ..NewKey::admin("r".parse().unwrap()) };
    let read = handle.create_key(read).await.unwrap().secret;
    for (path, without, with_read) in [
        ("/open/1", 200, 200),
        ("/report", 401, 200),
        ("/secret", 401, 403),
        // The router decodes the path, so the check does as well.
        ("/%73ecret", 401, 403),
        ("/%72eport", 401, 200),
        ("/queues", 401, 403),
        ("/jobs", 401, 200),
        // The pages take every path, so a mark behind them has no effect.
        ("/else", 401, 403),
    ] {
        assert_eq!(status(handle, path, None).await, without, "{path}");
        assert_eq!(status(handle, path, Some(read.reveal())).await, with_read, "{path}");
        let with_ops = status(handle, path, Some(ops.reveal())).await;
        assert!(!matches!(with_ops.as_u16(), 401 | 403), "{path}: {with_ops}");
    }
    server.shutdown().await;
}

#[actix_web::test]
async fn a_parameter_named_token_of_an_applications_own_route_is_its_own() {
    let server = TestServer::start(|builder| builder).unwrap();
    let handle = server.handle();
    for path in ["/open/1?token=reset-4711", "/report?token=lt_x.y", "/secret?a=b&token="] {
        assert_eq!(status(handle, path, None).await, StatusCode::OK, "{path}");
    }
    handle.create_key(NewKey::admin("ops".parse().unwrap())).await.unwrap();
    assert_eq!(status(handle, "/open/1?token=reset-4711", None).await, StatusCode::OK);
    // A route that needs no key does not look at a token in the header either.
    assert_eq!(status(handle, "/open/1", Some("lt_x.y")).await, StatusCode::OK);
    assert_eq!(status(handle, "/report?token=lt_x.y", None).await, StatusCode::UNAUTHORIZED);
    server.shutdown().await;
}

#[actix_web::test]
async fn a_key_is_refused_from_its_expiry_on() {
    let server = TestServer::start(|builder| builder).unwrap();
    let handle = server.handle();
    handle.create_key(NewKey::admin("ops".parse().unwrap())).await.unwrap();
    let expires_at = Some(server.now().plus(Duration::from_secs(90)));
    let key = NewKey { expires_at, ..NewKey::admin("short".parse().unwrap()) };
    let secret = handle.create_key(key).await.unwrap().secret;
    server.advance(Duration::from_millis(89_999)).await.unwrap();
    assert_eq!(status(handle, "/v1/jobs", Some(secret.reveal())).await, StatusCode::OK);
    server.advance(Duration::from_millis(1)).await.unwrap();
    let refused = status(handle, "/v1/jobs", Some(secret.reveal())).await;
    assert_eq!(refused, StatusCode::UNAUTHORIZED);
    assert!(handle.needs_key());
    server.shutdown().await;
}
