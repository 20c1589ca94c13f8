//! Servers for `http` and `chat` jobs to call.

use tokio::sync::mpsc;

use crate::kit::http::{OpenReply, Request, Target};

/// Handles every request with `serve` on a free port, and returns the URL.
pub(crate) fn listen(serve: impl Fn(&mut OpenReply, Request) + Send + Sync + 'static) -> String {
    Target::start(serve).url("")
}

/// Requests that a server received, each with the number of its connection.
pub(crate) type SeenRequests = mpsc::UnboundedReceiver<(usize, Request)>;

/// Starts a server that records each request and then handles it with `serve`. Returns its URL and
/// the requests.
pub(crate) fn listen_and_record(
    serve: impl Fn(&mut OpenReply, Request) + Send + Sync + 'static,
) -> (String, SeenRequests) {
    let (seen, requests) = mpsc::unbounded_channel();
    let url = listen(move |caller, request| {
        // This fails if the test needs no more requests and has dropped the receiver.
        let _ = seen.send((caller.number, request.clone()));
        serve(caller, request);
    });
    (url, requests)
}

/// Starts a server that sends the same bytes for every request. Returns its URL and the requests.
pub(crate) fn start_server(response: impl Into<Vec<u8>>) -> (String, SeenRequests) {
    let response = response.into();
    listen_and_record(move |caller, _| {
        caller.send(&response);
    })
}
