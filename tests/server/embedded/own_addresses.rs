//! The addresses of an application that embeds the server, which its jobs do not call.

use std::net::SocketAddr;

use longshore::http::{self, Listener};
use longshore::server::{Error, Handle, Server};
use serde_json::json;

use crate::kit::embedded::{builder, single_attempt};

/// Returns whether a call to an address is refused when its job is submitted.
async fn is_refused(handle: &Handle, address: SocketAddr) -> bool {
    let job = single_attempt("http", &json!({"url": format!("http://{address}/v1/jobs")}));
    match handle.submit(job).await {
        Ok(_) => false,
        Err(Error::Invalid(problems)) => {
            assert_eq!(problems[0].detail, "address not allowed; see outbound.allow_networks");
            true
        }
        Err(error) => panic!("{error}"),
    }
}

#[actix_web::test]
async fn jobs_do_not_call_the_listeners_and_the_addresses_that_the_application_adds() {
    let directory = tempfile::tempdir().unwrap();
    let [before, after, other] = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let server: Server = builder(&directory).own_address(before).start().unwrap();
    let handle = server.handle();
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let listening = listener.tcp_addr().unwrap().unwrap();
    assert!(!is_refused(&handle, listening).await);
    let front = http::start_all(server.handle(), vec![listener], |_| {}).unwrap();
    let front_handle = front.handle();
    actix_web::rt::spawn(front);
    handle.add_own_address(after);
    for address in [before, listening, after] {
        assert!(is_refused(&handle, address).await, "{address}");
    }
    assert!(!is_refused(&handle, other).await);
    front_handle.stop(true).await;
    server.shutdown().await;
}
