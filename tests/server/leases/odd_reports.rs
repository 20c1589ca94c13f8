//! Reports of unusual form: each is applied or refused by itself, and a failure keeps its reason.

use serde_json::{Value, json};

use crate::kit::leases::{lease, remote};
use crate::kit::{Response, Server, pointers, with};

/// Starts a server with one job that is leased with the token 1.
fn leased() -> Server {
    let server = Server::start();
    assert_eq!(lease_jobs(&server, 1), 1);
    server
}

/// Submits jobs for remote workers, leases them, and returns the id of the first. Their tokens are 1.
fn lease_jobs(server: &Server, count: u32) -> i64 {
    let job = with(remote(0), &json!({"timeout": "24h", "backoff": {"initial": "1h"}}));
    server.post("/v1/jobs", &Value::from(vec![job; count as usize])).expect(202);
    let leased = lease(server, count, &json!({"lease": "30s"}));
    assert_eq!(leased.len(), count as usize);
    leased[0]["id"].as_i64().unwrap()
}

/// Sends a body that need not be JSON.
fn post_raw(server: &Server, path: &str, media_type: &str, body: impl AsRef<[u8]>) -> Response {
    server.request("POST", path, &[("content-type", media_type)], body.as_ref())
}

/// One server for each format of a list of reports: JSON and NDJSON.
struct Servers([Server; 2]);

/// Answers to a list of reports.
struct Answered<'a> {
    server: &'a Server,
    /// Id of the first job of the list.
    first: i64,
    answers: Vec<Value>,
}

impl Servers {
    fn start() -> Self {
        Self([Server::start(), Server::start()])
    }

    /// Leases three jobs and sends reports in both formats. `$1` to `$3` are the ids of the jobs.
    fn send(&self, reports: &[&str]) -> [Answered<'_>; 2] {
        let body = |server, first: i64, start: &str, separator: &str, end: &str| {
            let mut body = format!("{start}{}{end}", reports.join(separator));
            for number in 0..3 {
                body = body.replace(&format!("${}", number + 1), &(first + number).to_string());
            }
            let media_type =
                if start.is_empty() { "application/x-ndjson" } else { "application/json" };
            let answered = post_raw(server, "/v1/leases/finish", media_type, body).expect(200);
            Answered { server, first, answers: answered["answers"].as_array().unwrap().clone() }
        };
        let [json, lines] = &self.0;
        [
            body(json, lease_jobs(json, 3), "[", ",", "]"),
            body(lines, lease_jobs(lines, 3), "", "\n", ""),
        ]
    }
}

impl Answered<'_> {
    fn statuses(&self) -> Vec<u64> {
        statuses(&self.answers)
    }

    /// Returns one of the three jobs, counted from 1.
    fn job(&self, number: i64) -> Value {
        self.server.job(self.first + number - 1)
    }

    fn log(&self, number: i64) -> String {
        let path = format!("/v1/jobs/{}/log", self.first + number - 1);
        self.server.get(&path).expect(200)["text"].as_str().unwrap().to_owned()
    }
}

fn statuses(answers: &[Value]) -> Vec<u64> {
    answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect()
}

/// Returns a renewal of the job with this number, counted from 1.
fn renewal(number: u32, fields: &str) -> String {
    format!(r#"{{"id": ${number}, "lease_token": 1, "action": "renew", {fields}}}"#)
}

#[test]
fn a_renewal_of_unusual_form_is_applied_and_harms_no_other() {
    let servers = Servers::start();
    for (fields, progress) in [
        (r#""progress": {"percent": 101}"#, json!({"percent": 100.0})),
        (r#""progress": {"percent": 100.0000001}"#, json!({"percent": 100.0})),
        (r#""progress": {"percent": -1}"#, json!({"percent": 0.0})),
        (
            r#""progress": {"percent": NaN, "message": "a"}"#,
            json!({"percent": 0.0, "message": "a"}),
        ),
        (r#""progress": {"percent": "50"}"#, json!({"percent": 50.0})),
        (r#""progress": {"message": "a"}"#, json!({"percent": 0.0, "message": "a"})),
        (r#""progress": 50"#, json!({"percent": 50.0})),
        (
            r#""progress": {"percent": 7, "message": "caf\udce9"}"#,
            json!({"percent": 7.0, "message": "caf\u{fffd}"}),
        ),
        (r#""progress": [1], "unknown\ud800": {}"#, Value::Null),
        (r#""lease": "25h", "result": "\ud800", "error": 1"#, Value::Null),
        (r#""lease": [], "log": 7"#, Value::Null),
    ] {
        let (first, odd, last) =
            (renewal(1, r#""progress": 1"#), renewal(2, fields), renewal(3, r#""progress": 3"#));
        for answered in servers.send(&[&first, &odd, &last]) {
            assert_eq!(answered.statuses(), [200, 200, 200], "{fields}");
            assert_eq!(answered.job(1)["progress"], json!({"percent": 1.0}));
            assert_eq!(answered.job(2)["progress"], progress, "{fields}");
            assert_eq!(answered.job(3)["progress"], json!({"percent": 3.0}));
        }
    }
}

#[test]
fn a_renewal_without_a_percentage_keeps_the_last_one() {
    let server = leased();
    let renew = |progress: &str| {
        let body = format!(r#"{{"lease_token": 1, "progress": {progress}}}"#);
        post_raw(&server, "/v1/leases/1/renew", "application/json", body).expect(200);
        server.job(1)["progress"].clone()
    };
    renew(r#"{"percent": 40, "message": "reading"}"#);
    assert_eq!(renew(r#"{"message": "writing"}"#), json!({"percent": 40.0, "message": "writing"}));
    assert_eq!(renew(r#"{"percent": {}, "message": 3}"#), json!({"percent": 40.0, "message": "3"}));
    assert_eq!(renew("{}"), json!({"percent": 40.0, "message": "3"}));
}

#[test]
fn a_lease_longer_than_a_day_is_renewed_for_a_day() {
    let server = leased();
    let start = server.job(1)["lease_expires_at"].clone();
    let renewed = post_raw(
        &server,
        "/v1/leases/1/renew",
        "application/json",
        r#"{"lease_token": 1, "lease": "25h"}"#,
    );
    let longer = crate::kit::between(&start, &renewed.expect(200)["lease_expires_at"]);
    assert_eq!(longer.as_secs().div_ceil(3600), 24, "{longer:?}");
}

#[test]
fn a_report_that_cannot_be_applied_is_refused_by_itself_with_its_place() {
    let servers = Servers::start();
    let refused = [
        ("1", vec!["/1"]),
        ("null", vec!["/1"]),
        ("[]", vec!["/1"]),
        (r#""x""#, vec!["/1"]),
        ("{}", vec!["/1/id", "/1/action", "/1/lease_token"]),
        (r#"{"id": $2, "action": "renew"}"#, vec!["/1/lease_token"]),
        (r#"{"id": $2, "action": "ack", "lease_token": 1}"#, vec!["/1/action"]),
        (r#"{"id": 2.5, "action": "fail", "lease_token": "a"}"#, vec!["/1/id", "/1/lease_token"]),
    ];
    for (report, places) in refused {
        let (first, last) = (renewal(1, r#""log": "a""#), renewal(3, r#""log": "a""#));
        let [array, lines] = servers.send(&[&first, report, &last]);
        for answered in [&array, &lines] {
            assert_eq!(answered.statuses(), [200, 422, 200], "{report}");
            let refused = &answered.answers[1];
            assert_eq!(refused["type"], "urn:longshore:problem:invalid");
            let errors = refused["errors"].as_array().unwrap().iter();
            let found: Vec<&str> = errors.map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(found, places, "{report}");
            let is_named = report.contains("$2").then_some(answered.first + 1);
            assert_eq!(refused["id"], json!(is_named), "{report}");
            assert!(refused.get("lease_token").is_some(), "{report}");
            assert_eq!([1, 2, 3].map(|number| answered.log(number)), ["a\n", "", "a\n"]);
        }
        let detail = lines.answers[1]["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("line 2: "), "{detail}");
    }
}

#[test]
fn a_line_that_is_not_json_is_refused_by_itself() {
    let server = leased();
    lease_jobs(&server, 1);
    let good = |id: u32| renewal(id, r#""log": "a""#).replace('$', "");
    let body = [good(1).as_bytes(), b"\n\n{\"id\": 2, \"lease_tok\n\xff\xfe\n", good(2).as_bytes()]
        .concat();
    let answered = post_raw(&server, "/v1/leases/finish", "application/jsonl", body).expect(200);
    let answers = answered["answers"].as_array().unwrap();
    assert_eq!(statuses(answers), [200, 400, 400, 200]);
    assert_eq!(answers[1]["errors"][0]["pointer"], "/1");
    assert!(answers[1]["detail"].as_str().unwrap().contains("line 3, column 20"), "{}", answers[1]);
    assert_eq!((&answers[1]["id"], &answers[1]["lease_token"]), (&Value::Null, &Value::Null));
}

#[test]
fn only_a_body_that_is_no_list_or_too_long_is_refused_as_a_whole() {
    let server = leased();
    let send =
        |media_type: &str, body: &str| post_raw(&server, "/v1/leases/finish", media_type, body);
    let good = renewal(1, r#""log": "a""#).replace('$', "");
    send("application/json", &good).problem(422);
    send("application/json", &format!("[{good}")).problem(400);
    send("application/json", &format!("[{good},]")).problem(400);
    send("application/json", "").problem(400);
    assert_eq!(pointers(&send("application/json", "[]")), [""]);
    assert_eq!(pointers(&send("application/x-ndjson", "\n \n")), [""]);
    let many = format!("[{}1]", "1,".repeat(10_000));
    assert_eq!(pointers(&send("application/json", &many)), [""]);
    assert_eq!(server.get("/v1/jobs/1/log").expect(200)["to"], 0, "nothing was applied");
}

#[test]
fn several_reports_on_one_lease_are_applied_in_their_order() {
    let complete = r#"{"id": "$1", "lease_token": "1", "action": "complete", "result": 5}"#;
    let fail = r#"{"id": $1, "lease_token": 1, "action": "fail", "error": "too late"}"#;
    let renew = renewal(1, r#""progress": 1"#);
    for answered in Servers::start().send(&[&renew, complete, complete, fail, &renew]) {
        assert_eq!(answered.statuses(), [200, 200, 200, 409, 409]);
        let answers = &answered.answers;
        assert_eq!(
            (&answers[1]["state"], &answers[2]["repeated"]),
            (&json!("completed"), &json!(true))
        );
        assert_eq!(answered.job(1)["result"], 5);
    }
}

#[test]
fn a_failure_is_kept_whatever_its_form_is() {
    let failures: [(&[u8], &str, &str); 12] = [
        (
            br#"{"lease_token": 1, "error": {"code": "E", "message": "caf\udce9.txt"}}"#,
            "E",
            "caf\u{fffd}.txt",
        ),
        (
            b"{\"lease_token\": 1, \"error\": {\"code\": \"E\", \"message\": \"caf\xe9.txt\"}}",
            "E",
            "caf\u{fffd}.txt",
        ),
        (
            br#"{"lease_token": 1, "error": {"code": "a\ud800\nb"}, "x": 1}"#,
            "a\u{fffd}\u{fffd}b",
            "",
        ),
        (br#"{"lease_token": 1, "error": "boom"}"#, "failed", "boom"),
        (br#"{"lease_token": 1, "error": ["boom", 1]}"#, "failed", r#"["boom", 1]"#),
        (br#"{"lease_token": 1, "error": 7}"#, "failed", "7"),
        (br#"{"lease_token": 1, "error": null}"#, "failed", "the worker gave no reason"),
        (br#"{"lease_token": 1}"#, "failed", "the worker gave no reason"),
        (
            br#"{"lease_token": 1, "error": {"code": 502, "message": {"a": 1}}}"#,
            "502",
            r#"{"a": 1}"#,
        ),
        (
            br#"{"lease_token": 1, "error": {"message": "m"}, "retry_in": "48h", "result": 1}"#,
            "failed",
            "m",
        ),
        (
            br#"{"lease_token": 1, "error": {"code": "E", "data": {"loss": NaN}}, "begun": 1}"#,
            "E",
            "",
        ),
        (
            br#"{"lease_token": 1, "error": {"code": "E", "message": "C:\dir"}, "log": "\ud83d"}"#,
            "E",
            r"C:\dir",
        ),
    ];
    let server = Server::start();
    for (body, code, message) in failures {
        let id = lease_jobs(&server, 1);
        let path = format!("/v1/leases/{id}/fail");
        let answer = post_raw(&server, &path, "application/json", body).expect(200);
        assert_eq!(answer["state"], "retrying");
        let text = String::from_utf8_lossy(body);
        assert_eq!(server.job(id)["error"], json!({"code": code, "message": message}), "{text}");
    }
}

#[test]
fn the_traceback_and_the_data_of_an_error_are_kept_with_the_attempt() {
    let server = leased();
    let lines = "at line 1\n".repeat(10_000);
    let error = json!({"traceback": [lines, "KeyError: 'a'"], "data": {"a": [1.5]}, "x": 1});
    let body = json!({"lease_token": 1, "error": error});
    server.post("/v1/leases/1/fail", &body).expect(200);
    let job = server.job(1);
    assert_eq!(job["error"], json!({"code": "failed", "message": "KeyError: 'a'"}));
    let attempt = &job["attempts"][0];
    assert_eq!((&attempt["code"], &attempt["data"]), (&json!("failed"), &json!({"a": [1.5]})));
    let traceback = attempt["traceback"].as_str().unwrap();
    assert!(traceback.starts_with("at line 1\n") && traceback.ends_with("KeyError: 'a'\n"));
    assert!(traceback.contains(" bytes omitted]") && traceback.len() < 17 << 10);
    let id = lease_jobs(&server, 1);
    let body =
        r#"{"lease_token": 1, "error": {"code": "E", "data": {"loss": NaN, "at": "caf\udce9"}}}"#;
    let path = format!("/v1/leases/{id}/fail");
    post_raw(&server, &path, "application/json", body).expect(200);
    let data = &server.job(id)["attempts"][0]["data"];
    assert_eq!(data, &json!({"loss": "NaN", "at": "caf\u{fffd}"}));
}

#[test]
fn a_report_without_a_valid_token_is_refused_however_it_was_repaired() {
    let server = leased();
    let fail = |body: &[u8]| post_raw(&server, "/v1/leases/1/fail", "application/json", body);
    fail(br#"{"lease_token": 2, "error": "\ud800"}"#).problem(409);
    fail(br#"{"lease_token": 0, "error": NaN}"#).problem(409);
    fail(br#"{"error": "\ud800"}"#).problem(422);
    fail(br#"{"lease_token": "one"}"#).problem(422);
    fail(b"[1]").problem(422);
    fail(b"").problem(400);
    fail(b"{\"lease_token\": 1").problem(400);
    fail(b"lease_token=1").problem(400);
    assert_eq!(server.job(1)["state"], "running");
}

#[test]
fn a_result_that_cannot_be_stored_fails_the_attempt_for_good() {
    let server = Server::start();
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for result in
        [br#""\udc00""# as &[u8], b"\"\xff\"", b"{\"a\": Infinity}", b"1e999", deep.as_bytes()]
    {
        let id = lease_jobs(&server, 1);
        let body = [b"{\"lease_token\": 1, \"result\": ", result, b"}"].concat();
        let path = format!("/v1/leases/{id}/complete");
        let send = || post_raw(&server, &path, "application/json", &body);
        assert_eq!(send().expect(200)["state"], "failed");
        let job = server.job(id);
        assert_eq!(
            (&job["error"]["code"], &job["attempt"]),
            (&json!("bad_result"), &json!(1)),
            "{job}"
        );
        let kept = job["attempts"][0]["result"].as_str().unwrap();
        let text = String::from_utf8_lossy(result).replace("Infinity", "\"Infinity\"");
        assert_eq!(kept, text, "{job}");
        assert_eq!(send().expect(200)["repeated"], true);
    }
}

#[test]
fn a_valid_result_is_stored_byte_for_byte_although_the_rest_was_repaired() {
    let server = leased();
    let result = r#"{"b":1.50,"a":"\u00e9\ud83d\ude00","b":1e400000}"#.replace("1e400000", "1E2");
    let body = format!(r#"{{"lease_token": 1, "log": "\ud800", "x": NaN, "result": {result}}}"#);
    let answer = post_raw(&server, "/v1/leases/1/complete", "application/json", body).expect(200);
    assert_eq!(answer["state"], "completed");
    let stored = String::from_utf8(server.get("/v1/jobs/1").body).unwrap();
    assert!(stored.contains(&format!(r#""result":{result}"#)), "{stored}");
}
