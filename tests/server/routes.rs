//! The table of routes: what it lists is served, and nothing else on the same paths.

use longshore::api::routes::{Route, allow, by_path};

use crate::kit::{Response, Server};

/// Methods to try on each path.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Sends a request without a body and returns the response. The response to a `HEAD` has no body,
/// although its head gives the length of one.
fn request(server: &Server, method: &str, path: &str) -> Response {
    if method != "HEAD" {
        return server.request(method, path, &[], b"");
    }
    let mut connection = server.connect();
    let head =
        format!("HEAD {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.addr());
    connection.send(head).unwrap();
    let text = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
    let mut lines = text.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Response { status, headers: headers.collect(), body: Vec::new() }
}

fn assert_served(server: &Server, method: &str, path: &str, routes: &[Route]) {
    let response = request(server, method, path);
    if routes.iter().any(|route| route.method.as_str() == method) {
        assert_ne!(response.status, 405, "{method} {path}");
        let body = String::from_utf8_lossy(&response.body);
        assert!(!body.contains("there is no resource"), "{method} {path}");
    } else {
        assert_eq!(response.status, 405, "{method} {path}");
        assert_eq!(response.header("allow"), Some(allow(routes).as_str()), "{method} {path}");
    }
}

#[test]
fn every_route_of_the_table_is_served_and_every_other_method_is_answered_with_405() {
    let server = Server::start();
    for (path, routes) in by_path() {
        let parameters = [("{id}", "1"), ("{name}", "default"), ("{action}", "renew")];
        let replace = |path: String, (name, value): (&str, &str)| path.replace(name, value);
        let path = parameters.into_iter().fold(path.to_owned(), replace);
        assert!(!path.contains('{'), "{path} has an unknown parameter");
        for method in METHODS {
            assert_served(&server, method, &path, routes);
        }
    }
}
