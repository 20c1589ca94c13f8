//! The table of routes: what it lists is served, and nothing else on the same paths.

use longshore::api::routes::{Route, allow, by_path};

use crate::kit::Server;

/// Methods to try on each path.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Sends a request without a body and returns the status, the header `Allow` and the body. The response
/// to a `HEAD` has no body, although its head gives the length of one.
fn request(server: &Server, method: &str, path: &str) -> (u16, Option<String>, String) {
    if method != "HEAD" {
        let response = server.request(method, path, &[], b"");
        let allow = response.header("allow").map(str::to_owned);
        return (response.status, allow, String::from_utf8_lossy(&response.body).into_owned());
    }
    let mut connection = server.connect();
    let head =
        format!("HEAD {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.addr());
    connection.send(head).unwrap();
    let text = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = text.lines().filter_map(|line| line.split_once(": "));
    let allow = headers.find(|(name, _)| name.eq_ignore_ascii_case("allow"));
    (status, allow.map(|(_, value)| value.to_owned()), String::new())
}

fn assert_served(server: &Server, method: &str, path: &str, routes: &[Route]) {
    let (status, allowed, body) = request(server, method, path);
    if routes.iter().any(|route| route.method.as_str() == method) {
        assert_ne!(status, 405, "{method} {path}");
        assert!(!body.contains("there is no resource"), "{method} {path}");
    } else {
        assert_eq!(status, 405, "{method} {path}");
        assert_eq!(allowed, Some(allow(routes)), "{method} {path}");
    }
}

#[test]
fn every_route_of_the_table_is_served_and_every_other_method_is_answered_with_405() {
    let server = Server::start();
    for (path, routes) in by_path() {
        let parameters =
            [("{id}", "1"), ("{name}", "default"), ("{action}", "renew"), ("{delivery}", "1")];
        let replace = |path: String, (name, value): (&str, &str)| path.replace(name, value);
        let path = parameters.into_iter().fold(path.to_owned(), replace);
        assert!(!path.contains('{'), "{path} has an unknown parameter");
        for method in METHODS {
            assert_served(&server, method, &path, routes);
        }
    }
}
