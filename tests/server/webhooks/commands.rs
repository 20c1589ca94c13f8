//! `longshore webhook secret`.

use std::process::Output;

use serde_json::Value;

use super::secrets::list;
use crate::cli::{stderr, stdout};
use crate::kit::process::longshore;
use crate::kit::{Server, Setup, between};

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", stdout(output), stderr(output));
    stdout(output)
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&ok(output)).unwrap()
}

/// Runs `longshore webhook secret` with these arguments everywhere: `place` names the server or the database.
fn run(args: &[&str], place: [&str; 2]) -> Output {
    longshore(&[&["webhook", "secret"], args, &place].concat()).output().unwrap()
}

/// Creates, lists, rotates and deletes secrets at a place.
fn use_secrets(place: [&str; 2]) {
    let created = run(&["create", "shop"], place);
    let first = ok(&created);
    assert!(first.starts_with("whsec_") && first.trim_end().len() == 50, "{first}");
    assert!(created.stderr.is_empty(), "{}", stderr(&created));
    let taken = run(&["create", "shop"], place);
    assert!(!taken.status.success() && stderr(&taken).contains("the name shop exists"));
    let blog =
        json(&run(&["create", "blog", "--queue", "blog.*", "--queue", "mail", "--json"], place));
    assert_eq!(blog["queues"], serde_json::json!(["blog.*", "mail"]));
    assert!(blog["created_at"].is_string() && blog["name"] == "blog", "{blog}");
    let rotated = json(&run(&["rotate", "shop", "--overlap", "2h", "--json"], place));
    assert_eq!(between(&rotated["rotated_at"], &rotated["previous_until"]).as_secs(), 7_200);
    let second = rotated["secret"].as_str().unwrap();
    assert_ne!(first.trim_end(), second);
    let shown = ok(&run(&["list"], place));
    let until = rotated["previous_until"].as_str().unwrap();
    assert!(shown.contains("blog.*, mail") && shown.contains(until), "{shown}");
    let third = ok(&run(&["rotate", "shop"], place));
    let all = ok(&run(&["list", "--json"], place));
    for value in [&*first, second, &*third, blog["secret"].as_str().unwrap()] {
        assert!(!all.contains(value.trim_end()) && !shown.contains(value.trim_end()));
    }
    let long = run(&["rotate", "shop", "--overlap", "31d"], place);
    assert!(!long.status.success() && stderr(&long).contains("/overlap: must be at most 30d"));
    assert_eq!(ok(&run(&["delete", "shop"], place)), "webhook secret shop is deleted\n");
    assert_eq!(json(&run(&["delete", "blog", "--json"], place))["deleted"], true);
    let missing = run(&["delete", "shop"], place);
    assert!(!missing.status.success() && stderr(&missing).contains("shop does not exist"));
}

#[test]
fn secrets_are_managed_on_a_running_server() {
    let server = Server::start();
    use_secrets(["--url", &server.url()]);
    assert!(list(&server).is_empty());
}

#[test]
fn secrets_are_managed_in_the_database_of_a_server_that_does_not_run() {
    let setup = Setup::new();
    let database = setup.directory().join("longshore.db").display().to_string();
    let place = ["--database", &*database];
    let missing = run(&["list"], place);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("there is no database"), "{}", stderr(&missing));
    use_secrets(place);
    ok(&run(&["create", "mail"], place));
    let server = setup.start();
    assert_eq!(list(&server)[0]["name"], "mail");
    // Now a server holds the database.
    let held = run(&["list"], place);
    assert!(stderr(&held).contains("a server uses the database"), "{}", stderr(&held));
}

#[test]
fn a_value_in_place_of_a_name_is_not_repeated() {
    let server = Server::start();
    let url = server.url();
    let value = ok(&run(&["create", "shop"], ["--url", &url]));
    let value = value.trim_end();
    for command in ["create", "rotate", "delete"] {
        let refused = run(&[command, value], ["--url", &url]);
        assert_eq!(refused.status.code(), Some(2));
        let text = stderr(&refused);
        assert!(text.contains("must be 1 to 64") && !text.contains(&value[6..16]), "{text}");
    }
}
