//! An application that serves the API on several listeners.

use std::os::unix::net::UnixStream;

use longshore::http::{self, Listener};
use longshore::server::Server;

use crate::embedded::builder;
use crate::kit::{Connection, eventually};

#[actix_web::test]
async fn an_application_serves_the_api_on_several_listeners() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let server: Server = builder(&directory).start().unwrap();
    let tcp = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = tcp.tcp_addr().unwrap().unwrap();
    let unix = Listener::bind(&format!("unix:{}", path.display()).parse().unwrap()).unwrap();
    assert_eq!(unix.url(), format!("unix:{}", path.display()));
    let front = http::start_all(server.handle(), vec![tcp, unix], |_| {}).unwrap();
    let front_handle = front.handle();
    actix_web::rt::spawn(front);
    let socket = path.clone();
    let statuses = tokio::task::spawn_blocking(move || {
        let unix = Connection::over(UnixStream::connect(socket).unwrap(), "localhost");
        [Connection::open(addr).unwrap(), unix]
            .map(|mut connection| connection.request("GET", "/healthz", &[], b"").unwrap().status)
    });
    assert_eq!(statuses.await.unwrap(), [200, 200]);
    front_handle.stop(true).await;
    server.shutdown().await;
    let gone = move || eventually("the socket is removed", || (!path.exists()).then_some(()));
    tokio::task::spawn_blocking(gone).await.unwrap();
}
