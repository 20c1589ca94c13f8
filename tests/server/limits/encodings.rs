//! Bodies with a byte order mark, and bodies in another encoding than UTF-8.

use serde_json::json;

use crate::kit::{Response, Server, pointers};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const MARK: &str = "\u{feff}";

fn send(server: &Server, path: &str, media_type: &str, body: impl AsRef<[u8]>) -> Response {
    let method = if path.starts_with("/v1/queues/") { "PATCH" } else { "POST" };
    server.request(method, path, &[("content-type", media_type)], body.as_ref())
}

/// Bodies that each route accepts.
const BODIES: [(&str, &str, &str); 9] = [
    ("/v1/jobs", JSON, r#"{"kind": "echo"}"#),
    ("/v1/jobs", JSON, r#" [{"kind": "echo"}]"#),
    ("/v1/jobs", LINES, "{\"kind\": \"echo\"}\n{\"kind\": \"echo\"}\n"),
    ("/v1/batches", JSON, r#"{"jobs": [{"kind": "echo"}]}"#),
    ("/v1/queues/mail", JSON, r#"{"max_running": 1}"#),
    ("/v1/jobs/delete", JSON, r#"{"ids": [99]}"#),
    ("/v1/leases", JSON, "{}"),
    ("/v1/leases/finish", JSON, r#"[{"action": "release", "id": 1, "lease_token": 1}]"#),
    ("/v1/leases/finish", LINES, r#"{"action": "release", "id": 1, "lease_token": 1}"#),
];

#[test]
fn a_byte_order_mark_is_skipped_on_every_route() {
    let server = Server::start();
    for (path, media_type, body) in BODIES {
        let answer = send(&server, path, media_type, format!("{MARK}{body}"));
        assert!(matches!(answer.status, 200 | 202), "{path} {body}: {answer:?}");
    }
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 5);
}

#[test]
fn other_encodings_are_named_on_every_route() {
    let server = Server::start();
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let utf32 = |text: &str| -> Vec<u8> {
        text.chars().map(u32::from).flat_map(u32::to_be_bytes).collect()
    };
    for (path, media_type, body) in BODIES {
        for (bytes, encoding) in [
            (utf16(&format!("{MARK}{body}")), "UTF-16LE"),
            (utf16(body), "UTF-16LE"),
            (utf32(&format!("{MARK}{body}")), "UTF-32BE"),
        ] {
            let detail = send(&server, path, media_type, bytes).problem(400);
            assert_eq!(
                detail,
                format!("the body is {encoding}; it must be UTF-8"),
                "{path} {body}"
            );
        }
    }
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], json!([]));
}

#[test]
fn only_the_start_of_a_body_may_have_a_byte_order_mark() {
    let server = Server::start();
    let twice = format!("{MARK}{MARK}{{\"kind\": \"echo\"}}");
    send(&server, "/v1/jobs", JSON, twice).problem(400);
    let second = format!("{{\"kind\": \"echo\"}}\n{MARK}{{\"kind\": \"echo\"}}\n");
    let answer = send(&server, "/v1/jobs", LINES, second);
    assert!(answer.problem(400).contains("line 2"), "{answer:?}");
    send(&server, "/v1/jobs", JSON, MARK).problem(400);
    // Inside a text it is an ordinary character.
    let inside = format!("{{\"kind\": \"echo\", \"payload\": \"{MARK}\"}}");
    let job = send(&server, "/v1/jobs?wait=5", JSON, inside).expect(200);
    assert_eq!(job["result"], MARK);
    assert_eq!(
        pointers(&send(&server, "/v1/jobs", JSON, format!("{MARK}{{\"kind\": 1}}"))),
        ["/kind"]
    );
}
