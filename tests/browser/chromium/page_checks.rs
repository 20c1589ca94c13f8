//! Checks that a page logs nothing to the console and sends requests only to its own server.

use serde_json::Value;

/// Schemes of addresses for which the browser sends no request.
///
/// - `data:` and `blob:` addresses contain their data.
/// - `about:`, `chrome:`, `chrome-extension:` and `devtools:` are pages of the browser itself, such as
///   its start page.
const LOCAL_SCHEMES: [&str; 6] =
    ["data:", "blob:", "about:", "chrome:", "chrome-extension:", "devtools:"];

/// The requests of a page.
pub(crate) struct Requests {
    origin: String,
}

impl Requests {
    pub(crate) fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned() }
    }

    /// Returns the addresses of the requests in a performance log.
    fn sent(events: &[Value]) -> Vec<String> {
        let mut sent = Vec::new();
        for entry in events {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let (method, params) = (&event["message"]["method"], &event["message"]["params"]);
            let url = match method.as_str().unwrap_or_default() {
                "Network.requestWillBeSent" => &params["request"]["url"],
                "Network.webSocketCreated" | "Network.webTransportCreated" => &params["url"],
                _ => continue,
            };
            sent.push(url.as_str().unwrap().to_owned());
        }
        sent
    }

    /// Returns the addresses that belong neither to this server nor to the browser itself.
    fn foreign(&self, sent: Vec<String>) -> Vec<String> {
        let own = format!("{}/", self.origin);
        let is_foreign = |url: &String| {
            !url.starts_with(&own) && !LOCAL_SCHEMES.iter().any(|scheme| url.starts_with(scheme))
        };
        sent.into_iter().filter(is_foreign).collect()
    }

    /// Checks that all requests in a performance log went to this server.
    pub(crate) fn assert_own(&self, events: &[Value]) {
        let sent = Self::sent(events);
        assert!(!sent.is_empty(), "the performance log has no requests");
        let foreign = self.foreign(sent);
        assert!(foreign.is_empty(), "requests to servers other than {}: {foreign:#?}", self.origin);
    }
}

/// Checks that each entry of the console contains one of the `expected` texts.
pub(crate) fn assert_silent(console: &[Value], expected: &[&str]) {
    let message = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
    let is_expected = |entry: &&Value| expected.iter().any(|text| message(entry).contains(text));
    let unexpected: Vec<String> = console
        .iter()
        .filter(|entry| !is_expected(entry))
        .map(|entry| format!("{} {}", entry["level"], message(entry)))
        .collect();
    assert!(unexpected.is_empty(), "unexpected console messages: {unexpected:#?}");
}

#[test]
fn requests_to_other_servers_are_detected() {
    let event = |method: &str, params: Value| {
        let event = serde_json::json!({"message": {"method": method, "params": params}});
        serde_json::json!({"message": event.to_string()})
    };
    let request = |url: &str| {
        event("Network.requestWillBeSent", serde_json::json!({"request": {"url": url}}))
    };
    let requests = Requests::new("http://127.0.0.1:80");
    let events = [
        request("http://127.0.0.1:80/a"),
        request("http://127.0.0.1:8080/b"),
        request("data:image/png;base64,AA"),
        request("https://127.0.0.1:80/c"),
        event("Network.webSocketCreated", serde_json::json!({"url": "ws://127.0.0.1:80/d"})),
        event("Network.loadingFinished", serde_json::json!({})),
    ];
    let foreign = requests.foreign(Requests::sent(&events));
    let expected = ["http://127.0.0.1:8080/b", "https://127.0.0.1:80/c", "ws://127.0.0.1:80/d"];
    assert_eq!(foreign, expected);
}
