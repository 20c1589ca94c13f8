//! The page of the providers, and where other pages show what holds a job back.

use serde_json::{Value, json};

use super::{EVIL, page};
use crate::kit::http::Target;
use crate::kit::{Server, Setup, echo, eventually, with};

/// Returns a job that asks the provider `busy`.
fn question() -> Value {
    let messages = json!([{"role": "user", "content": "?"}]);
    let payload = json!({"provider": "busy", "model": "m", "messages": messages});
    json!({"kind": "chat", "payload": payload})
}

/// Starts a server with a provider that asked for a pause, and a job that waits for it.
fn server_with_paused_provider() -> (Server, i64) {
    let target = Target::start(|caller, _| {
        caller.answer("429 Too Many Requests", "retry-after: 600\r\n", EVIL);
    });
    let config = format!(
        "[providers.busy]\nbase_url = '{}'\nmax_running = 5\nrequests_per_minute = 60\n\
         [providers.idle]\nbase_url = 'http://127.0.0.1:1'\n",
        target.url("/v1")
    );
    let server = Setup::new().config(config).start();
    let job = server.submit(&question());
    eventually("the provider is paused", || {
        let provider = server.get("/v1/providers/busy").expect(200);
        (provider["state"] == "paused" && provider["queued"] == 1).then_some(())
    });
    (server, job)
}

#[test]
fn the_page_shows_each_provider_with_its_limits_and_its_pause() {
    let (server, _) = server_with_paused_provider();
    let text = page(&server, "/providers");
    let rows: Vec<&str> = text.split("<tr id=\"provider-").skip(1).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].starts_with("busy\"") && rows[1].starts_with("idle\""), "{text}");
    for expected in [
        "<span class=\"tag\">paused</span>",
        ">in 9 min</time>",
        "5 at once, 60 per minute",
        "1 since",
    ] {
        assert!(rows[0].contains(expected), "{expected} is missing in {text}");
    }
    assert!(rows[1].contains("starting") && rows[1].contains("at most 16 at once"), "{text}");
    assert!(text.contains("<a href=\"/providers\" aria-current=\"page\">Providers</a>"), "{text}");
    assert!(text.contains("data-poll-ms"), "the page is live");
    // The overview shows only the one that is held back.
    let overview = page(&server, "/");
    assert!(overview.contains("<tr id=\"provider-busy\""), "{overview}");
    assert!(!overview.contains("<tr id=\"provider-idle\""), "{overview}");
}

#[test]
fn the_page_of_a_job_says_what_it_waits_for() {
    let (server, waiting) = server_with_paused_provider();
    let text = page(&server, &format!("/jobs/{waiting}"));
    let (_, line) = text.split_once("Waiting: ").unwrap();
    let line = line.split("</p>").next().unwrap();
    assert!(line.starts_with("provider busy asked for a pause: "), "{line}");
    assert!(line.contains(">in 9 min</time>"), "{line}");
    server.patch("/v1/queues/mail", &json!({"paused": true})).expect(200);
    let paused = server.submit(&with(echo(1), &json!({"queue": "mail"})));
    let text = page(&server, &format!("/jobs/{paused}"));
    assert!(text.contains("Waiting: queue mail is paused."), "{text}");
    server.patch("/v1/queues/mail", &json!({"paused": false})).expect(200);
    server.wait_until_final(paused);
    assert!(!page(&server, &format!("/jobs/{paused}")).contains("Waiting: "));
}

#[test]
fn the_overview_of_a_server_without_trouble_shows_no_provider() {
    let config = "[providers.idle]\nbase_url = 'http://127.0.0.1:1'\n";
    let server = Setup::new().config(config).start();
    assert!(!page(&server, "/").contains("provider-idle"));
    assert!(page(&server, "/providers").contains("<tr id=\"provider-idle\""));
}
