//! The page with the list of queues.

use serde_json::json;

use super::{checked, get_html, page, redirect_of};
use crate::kit::{Server, echo, with};

#[test]
fn the_list_shows_each_queue_with_its_jobs_limits_and_age() {
    let server = Server::start();
    for queue in ["mail", "images"] {
        let limits = json!({"paused": queue == "mail", "max_running": 3});
        server.patch(&format!("/v1/queues/{queue}"), &limits).expect(200);
    }
    let mail = with(echo(1), &json!({"queue": "mail"}));
    server.post("/v1/jobs", &json!([mail, mail])).expect(202);
    let text = page(&server, "/queues");
    let rows: Vec<&str> = text.split("<tr id=\"queue-").skip(1).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].starts_with("images\"") && rows[1].starts_with("mail\""), "{text}");
    assert!(rows[1].contains("paused") && rows[1].contains("3 at once"), "{text}");
    assert!(rows[1].contains("<td class=\"num\">") && rows[1].contains(">2<"), "{text}");
    assert!(rows[0].contains("/queues/images/pause") && rows[1].contains("/queues/mail/resume"));
    assert!(text.contains("<a href=\"/queues\" aria-current=\"page\">Queues</a>"), "{text}");
}

#[test]
fn the_list_has_pages_and_a_button_returns_to_its_page() {
    let server = Server::start();
    let jobs: Vec<_> =
        (0..230).map(|at| with(echo(at), &json!({"queue": format!("q{at:03}")}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let (mut path, mut seen) = ("/queues".to_owned(), Vec::new());
    loop {
        let text = page(&server, &path);
        let rows = text.split("<tr id=\"queue-").skip(1);
        seen.push(rows.map(|row| row.split('"').next().unwrap().to_owned()).collect::<Vec<_>>());
        let Some((_, rest)) = text.split_once("rel=\"next\" href=\"") else { break };
        path = rest.split('"').next().unwrap().to_owned();
    }
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 30]);
    assert_eq!(path, "/queues?after=q199");
    let names: Vec<_> = (0..230).map(|at| format!("q{at:03}")).collect();
    assert_eq!(seen.concat(), names);
    assert!(page(&server, &path).contains("name=\"back\" value=\"queues?after=q199\""));
    let form = "back=queues%3Fafter%3Dq199";
    assert_eq!(redirect_of(&server, "/queues/q200/pause", form), path);
    assert_eq!(server.queue("q200")["paused"], true);
    assert_eq!(redirect_of(&server, "/queues/q200/resume", "back=//evil.example"), "/queues/q200");
}

#[test]
fn an_odd_address_of_the_list_is_answered() {
    let server = Server::start();
    assert!(page(&server, "/queues?after=none").contains("First page"));
    let response = get_html(&server, "/queues?after=NO");
    assert_eq!(response.status, 400);
    assert!(checked("/queues?after=NO", &response).contains("After must be 1 to 64"));
}
