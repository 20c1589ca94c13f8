//! 'Submit again': what the user does not change in the form is submitted exactly as it was.

use serde_json::{Value, json};

use super::{checked, page, redirect_of, send};
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Response, Server, Setup, echo, with};

/// Payloads that a parser and a printer would change.
const ODD: [&str; 9] = [
    r#"{"b": 1.0,"a":[1e2,-0 , 1000000000000000000000000000],"a":{"z":1,"a":[ ]}}"#,
    "{\r\n\t\"text\" :\r\n \"a\\r\\nb\\n \\u0041 \\ud83d\\ude80 \\/ \\u0000\"\n}",
    "\"\u{1f680} \u{feff} \u{2028} \u{85} \u{a0} </textarea>&amp;&#13;\"",
    "\"\\n\\n leading and trailing line breaks \\n\"",
    "[[],{},[{}],\"\",null,true,0.10]",
    "1.50",
    "null",
    "\" \"",
    "{\"\":{\"\":[\"\\\\\",\"\\\"\"]}}",
];

/// A field of a form.
type Field = (String, String);

/// Returns the fields of the form that submits a job, as a browser reads them from a page.
fn form_fields(page: &str) -> Vec<Field> {
    let (_, form) = page.split_once("<form method=\"post\" action=\"/submit\"").unwrap();
    let form = form.split("</form>").next().unwrap();
    let mut fields = Vec::new();
    for tag in form.split('<').map(|rest| rest.trim_start()) {
        let attribute = |name: &str| {
            let (_, rest) = tag.split('>').next()?.split_once(&format!(" {name}=\""))?;
            Some(unescaped(rest.split('"').next()?))
        };
        let (Some(name), value) = (attribute("name"), attribute("value").unwrap_or_default())
        else {
            continue;
        };
        if tag.starts_with("textarea") {
            let text = tag.split_once('>').unwrap().1;
            // A browser drops the line break after the tag.
            fields.push((name, unescaped(text.strip_prefix('\n').unwrap_or(text))));
        } else if tag.starts_with("select") {
            let (_, rest) = form.split_once(&format!("<select id=\"{name}\"")).unwrap();
            let options = rest.split("</select>").next().unwrap().split("<option value=\"");
            let selected = options.skip(1).find(|option| option.contains("\" selected>"));
            let value = selected.and_then(|option| option.split('"').next()).unwrap_or_default();
            fields.push((name, unescaped(value)));
        } else if !tag.contains("type=\"checkbox\"") || tag.contains(" checked") {
            fields.push((name, value));
        }
    }
    fields
}

fn unescaped(text: &str) -> String {
    let codes = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    codes.into_iter().fold(text.to_owned(), |text, (code, letter)| text.replace(code, letter))
}

/// Encodes fields as a browser does, with CR LF for every line break.
fn encoded(fields: &[Field]) -> String {
    let escape = |text: &str| {
        let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Returns the fields of the form that submits a job again, with changes.
fn again(server: &Server, id: i64, changes: &[(&str, &str)]) -> Vec<Field> {
    let mut fields = form_fields(&page(server, &format!("/submit?from={id}")));
    for (name, value) in changes {
        let field = fields.iter_mut().find(|(field, _)| field == name);
        field.unwrap_or_else(|| panic!("there is no field {name}")).1 = (*value).to_owned();
    }
    fields
}

/// Submits a job again, and returns the id of the new job.
pub(super) fn submit_again(server: &Server, id: i64, changes: &[(&str, &str)]) -> i64 {
    let path = redirect_of(server, "/submit", &encoded(&again(server, id, changes)));
    let new = path.strip_prefix("/jobs/").unwrap().parse().unwrap();
    assert_ne!(new, id);
    new
}

/// Submits a job whose payload is this text, and returns its id.
fn submit_raw(server: &Server, kind: &str, payload: &str) -> i64 {
    let body = format!("{{\"kind\": \"{kind}\", \"delay\": \"1h\", \"payload\": {payload}}}");
    let headers = [("content-type", "application/json")];
    let answer = server.request("POST", "/v1/jobs", &headers, body.as_bytes());
    answer.expect(202)["id"].as_i64().unwrap()
}

/// Returns the payload of a job as it is stored.
fn raw_payload(server: &Server, id: i64) -> String {
    let text = String::from_utf8(server.get(&format!("/v1/jobs/{id}")).body).unwrap();
    let (_, rest) = text.split_once("\"payload\":").unwrap();
    rest.rsplit_once(",\"result\":null").unwrap().0.to_owned()
}

#[test]
fn a_payload_that_is_not_changed_is_submitted_byte_for_byte() {
    let config = "[commands.greet]\nargv = ['echo', 'hello']";
    let server = Setup::new().config(config).start();
    let bodies = |body: &str| {
        [
            ("echo", body.to_owned()),
            ("http", format!("{{\"url\":\"http://127.0.0.1:1/\", \"body\":{body}}}")),
            ("command", format!("{{\"name\" :\"greet\",\"stdin\": {body} }}")),
        ]
    };
    for (kind, payload) in ODD.into_iter().flat_map(bodies) {
        let id = submit_raw(&server, kind, &payload);
        assert_eq!(raw_payload(&server, id), payload);
        let new = submit_again(&server, id, &[]);
        assert_eq!(raw_payload(&server, new), payload, "{kind}");
        // Also a job that was itself submitted again.
        let new = submit_again(&server, new, &[("priority", "7")]);
        assert_eq!(raw_payload(&server, new), payload, "{kind}");
    }
}

#[test]
fn a_payload_near_the_limit_is_submitted_byte_for_byte() {
    let server = Setup::new().config("limits.max_payload_bytes = 100000").start();
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    for payload in [
        format!("[{}1]", "1,".repeat(49_000)),
        format!("[{}{deep}]", format!("{deep},").repeat(480)),
        format!("[{}1]", "1,\n\n\n".repeat(19_000)),
        format!("\"{}\"", "\u{1f680}".repeat(24_000)),
        format!("[{}1]", "{\"a\":[]},".repeat(11_000)),
    ] {
        let id = submit_raw(&server, "echo", &payload);
        let new = submit_again(&server, id, &[]);
        assert!(raw_payload(&server, new) == payload, "{}...", &payload[..40]);
    }
}

#[test]
fn only_what_is_changed_in_a_payload_changes() {
    let server = Server::start();
    let payload = r#"{"url":"http://127.0.0.1:1/a","body":{"n":1.50,"s":"\u0041","l":[1, 2]}}"#;
    let id = submit_raw(&server, "http", payload);
    let fields = again(&server, id, &[]);
    let shown = &fields.iter().find(|(name, _)| name == "payload").unwrap().1;
    assert!(shown.contains("\n    \"n\": 1.50,\n"), "{shown}");
    for (from, to) in [("1/a", "1/b"), ("1.50", "1.5"), ("A", "B")] {
        let (new_shown, expected) = (shown.replacen(from, to, 1), payload.replacen(from, to, 1));
        let new = submit_again(&server, id, &[("payload", &new_shown)]);
        assert_eq!(raw_payload(&server, new), expected);
    }
    let with_method = shown.replacen('{', "{\"method\": \"PUT\",", 1);
    let new = submit_again(&server, id, &[("payload", &with_method)]);
    let new = raw_payload(&server, new);
    assert!(new.contains(r#""body": {"n":1.50,"s":"\u0041","l":[1, 2]}"#), "{new}");
}

/// Returns the fields of a job that do not depend on its id and time.
fn options(job: &Value) -> Value {
    let mut job = job.clone();
    for name in ["id", "created_at", "run_at", "state", "attempt", "started_at", "finished_at"] {
        job.as_object_mut().unwrap().remove(name);
    }
    job
}

#[test]
fn every_option_is_kept() {
    let server = Server::start();
    for fields in [
        json!({"queue": "mail", "priority": -7, "timeout": "90s", "max_attempts": 9}),
        json!({"tags": [" a ", "b, c", " ", "ü\u{2028}"], "at_most_once": true}),
        json!({"lane": "remote", "kind": "resize", "timeout": "1234ms"}),
        json!({"run_at": "2031-01-31T12:00:00.123Z", "expires_at": "2032-01-31T12:00:00.456Z"}),
        json!({"expires_at": "2032-01-31T12:00:00Z", "priority": 100}),
        json!({}),
    ] {
        let delayed = with(json!({"delay": "1h"}), &fields);
        let delayed = if fields["run_at"].is_null() { delayed } else { fields.clone() };
        let id = server.submit(&with(echo(1), &delayed));
        let new = submit_again(&server, id, &[]);
        let (old, new) = (server.job(id), server.job(new));
        assert_eq!(options(&new), options(&old), "{fields}");
        assert_eq!((&new["state"], &new["run_at"]), (&json!("scheduled"), &old["run_at"]));
    }
}

#[test]
fn a_time_of_expiry_that_has_passed_is_left_out_and_said() {
    let server = Server::start();
    let expired = json!({"expires_at": "2020-01-31T12:00:00Z", "delay": "1h"});
    let id = server.submit(&with(echo(1), &expired));
    server.wait_for_state(id, "cancelled");
    assert!(page(&server, &format!("/submit?from={id}")).contains("has passed and is left out"));
    let new = submit_again(&server, id, &[]);
    let job = server.wait_until_final(new);
    assert_eq!((&job["state"], &job["expires_at"]), (&json!("completed"), &Value::Null));
}

#[test]
fn a_pause_before_a_retry_is_not_a_time_to_start_at() {
    let server = Server::start();
    server.submit(&remote(1));
    let leased = lease(&server, 1, &json!({}))[0].clone();
    let failed = json!({"error": {"code": "x"}, "retry_in": "1h"});
    lease_action(&server, &leased, "fail", &failed).expect(200);
    assert_eq!(server.job(1)["state"], "retrying");
    let new = submit_again(&server, 1, &[]);
    assert_eq!(server.job(new)["state"], "queued");
}

#[test]
fn a_form_whose_job_has_been_deleted_says_so_before_it_sends_other_bytes() {
    let server = Server::start();
    let id = submit_raw(&server, "echo", "[1,2]");
    let form = encoded(&again(&server, id, &[("queue", "mail")]));
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    assert_eq!(server.delete(&format!("/v1/jobs/{id}")).status, 204);
    let refused = send(&server, "/submit", &form);
    let text = refused_text(&refused);
    assert!(text.contains("from which this form was filled in, cannot be read"), "{text}");
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], json!([]));
    // The form that is shown then can be sent.
    let path = redirect_of(&server, "/submit", &encoded(&form_fields(&text)));
    let job = server.job(path.strip_prefix("/jobs/").unwrap().parse().unwrap());
    assert_eq!((&job["payload"], &job["queue"]), (&json!([1, 2]), &json!("mail")));
}

#[test]
fn an_error_in_the_form_keeps_what_was_not_changed() {
    let server = Server::start();
    let id = submit_raw(&server, "echo", ODD[0]);
    let form = encoded(&again(&server, id, &[("priority", "101")]));
    let mut fields = form_fields(&refused_text(&send(&server, "/submit", &form)));
    fields.iter_mut().find(|(name, _)| name == "priority").unwrap().1 = "99".into();
    let path = redirect_of(&server, "/submit", &encoded(&fields));
    let new = path.strip_prefix("/jobs/").unwrap().parse().unwrap();
    assert_eq!(server.job(new)["priority"], 99);
    assert_eq!(raw_payload(&server, new), ODD[0]);
}

fn refused_text(response: &Response) -> String {
    assert_eq!(response.status, 422, "{}", String::from_utf8_lossy(&response.body));
    checked("/submit", response)
}
