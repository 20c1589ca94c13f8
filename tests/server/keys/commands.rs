//! `longshore key` and the options that send a key.

use std::process::Output;

use serde_json::{Value, json};

use super::{call, damaged, first_key};
use crate::cli::{stderr, stdout};
use crate::kit::process::longshore;
use crate::kit::{Server, Setup, pointers};

/// Runs a command with a key, or without one.
fn run(server: &Server, key: Option<&str>, args: &[&str]) -> Output {
    let mut command = longshore(args);
    command.env("LONGSHORE_URL", server.url());
    if let Some(key) = key {
        command.env("LONGSHORE_KEY", key);
    }
    command.output().unwrap()
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", stdout(output), stderr(output));
    stdout(output)
}

fn json_of(output: &Output) -> Value {
    serde_json::from_str(&ok(output)).unwrap()
}

#[test]
fn keys_are_created_listed_and_revoked_on_a_running_server() {
    let server = Server::start();
    let first = run(&server, None, &["key", "create", "ops", "--scope", "admin"]);
    let ops = ok(&first).trim().to_owned();
    assert_eq!(stdout(&first), format!("{ops}\n"));
    assert!(first.stderr.is_empty(), "{}", stderr(&first));
    let args = ["key", "create", "web shop", "--scope", "submit", "--scope", "read"];
    let args = [&args[..], &["--queue", "shop.*", "--expires", "90d", "--json"]].concat();
    let created = json_of(&run(&server, Some(&ops), &args));
    assert_eq!(created["scopes"], json!(["submit", "read"]));
    assert_eq!(created["queues"], json!(["shop.*"]));
    assert!(created["expires_at"].is_string() && created["id"] == 2, "{created}");
    let shop = created["secret"].as_str().unwrap();
    // Sent by every command, by option or variable.
    ok(&run(&server, Some(shop), &["submit", "echo", "1", "--queue", "shop.a"]));
    ok(&run(&server, None, &["--key", shop, "status", "1"]));
    let list = ok(&run(&server, Some(&ops), &["key", "list"]));
    assert!(
        list.contains("web shop") && list.contains("shop.*") && list.contains("valid"),
        "{list}"
    );
    let revoked = ok(&run(&server, Some(&ops), &["key", "revoke", "web shop"]));
    assert_eq!(revoked, "key 2 is revoked: web shop\n");
    assert_eq!(run(&server, Some(shop), &["status", "1"]).status.code(), Some(4));
    let again = run(&server, Some(&ops), &["key", "revoke", "web shop"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("is revoked already"), "{}", stderr(&again));
    assert!(ok(&run(&server, Some(&ops), &["key", "list"])).contains("revoked"));
}

#[test]
fn a_refused_command_says_how_to_give_a_key_and_never_shows_it() {
    let server = Server::start();
    let ops = first_key(&server);
    let refused = run(&server, None, &["list"]);
    assert_eq!(refused.status.code(), Some(4));
    let error = stderr(&refused);
    assert!(error.contains("--key or LONGSHORE_KEY"), "{error}");
    let damaged = damaged(&ops).secret;
    let long = format!("{} {}", ops.secret, ops.secret);
    for key in [&*damaged, "hunter2", &long, "hünter2"] {
        for output in
            [run(&server, Some(key), &["list"]), run(&server, None, &["list", "--key", key])]
        {
            let text = format!("{}{}", stdout(&output), stderr(&output));
            assert!(matches!(output.status.code(), Some(2 | 4)), "{text}");
            assert!(!text.contains(key) && !text.contains(&ops.secret), "{text}");
        }
    }
    let other = longshore(&["--key", "hunter2", "man"]).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(!stderr(&other).contains("hunter2"), "{}", stderr(&other));
}

#[test]
fn keys_are_made_in_the_database_of_a_server_that_does_not_run() {
    let setup = Setup::new();
    let database = setup.directory().join("longshore.db").display().to_string();
    let key = |args: &[&str]| {
        longshore(&[&["key"], args, &["--database", &database]].concat()).output().unwrap()
    };
    let missing = key(&["list"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("there is no database"), "{}", stderr(&missing));
    // The first key is the same as on a server.
    for (first, why) in [
        (&["--scope", "submit"][..], "--scope: the first key must have the scope admin"),
        (&["--scope", "admin", "--queue", "a.*"], "--scope: the first key must have"),
        (&["--scope", "admin", "--expires", "90d"], "--expires: the first key must not expire"),
    ] {
        let refused = key(&[&["create", "shop"], first].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
    let ops = json_of(&key(&["create", "ops", "--scope", "admin", "--json"]));
    let ops = ops["secret"].as_str().unwrap().to_owned();
    let shop = ok(&key(&["create", "shop", "--scope", "submit"])).trim().to_owned();
    let taken = key(&["create", "shop", "--scope", "read"]);
    assert!(!taken.status.success() && stderr(&taken).contains("shop exists"));
    assert_eq!(ok(&key(&["revoke", "shop"])), "key 2 is revoked: shop\n");
    let by_secret = key(&["revoke", &shop]);
    assert_eq!(by_secret.status.code(), Some(2));
    assert!(!stderr(&by_secret).contains(&shop), "{}", stderr(&by_secret));
    let server = setup.start();
    let ops = super::Key { id: 1, secret: ops };
    let keys = call(&server, &ops, "GET", "/v1/keys", None).expect(200);
    assert!(keys["keys"][1]["revoked_at"].is_string(), "{keys}");
    let shop = super::Key { id: 2, secret: shop };
    call(&server, &shop, "GET", "/v1/jobs/1", None).problem(401);
    // Now a server holds the database.
    let held = key(&["create", "x", "--scope", "read"]);
    assert_eq!(held.status.code(), Some(2), "{}", stdout(&held));
    let why = "; give its address with --url or LONGSHORE_URL";
    assert!(stderr(&held).contains("a server uses the database /"), "{}", stderr(&held));
    assert!(stderr(&held).contains(why), "{}", stderr(&held));
    let both =
        longshore(&["key", "list", "--url", &server.url(), "--database", &database]).output();
    assert_eq!(both.unwrap().status.code(), Some(2));
}

#[test]
fn a_server_that_was_named_and_does_not_answer_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = longshore(&["key", "create", "ops", "--scope", "admin"]);
    let output =
        command.current_dir(&directory).env("LONGSHORE_URL", "http://127.0.0.1:1").output();
    assert_eq!(output.unwrap().status.code(), Some(3));
    assert!(!directory.path().join("longshore.db").exists());
}

#[test]
fn a_refused_key_names_the_option_or_the_field() {
    let setup = Setup::new();
    let database = setup.directory().join("longshore.db").display().to_string();
    let in_database = |args: &[&str]| {
        longshore(&[&["key", "create"], args, &["--database", &database]].concat())
            .output()
            .unwrap()
    };
    ok(&in_database(&["ops", "--scope", "admin"]));
    let admin = ["--scope", "admin"];
    let zero = in_database(&[&["x", "--expires", "0s"], &admin[..]].concat());
    assert_eq!(zero.status.code(), Some(2));
    let expected = "'--expires <DURATION>': must be longer than 0s";
    assert!(stderr(&zero).contains(expected), "{}", stderr(&zero));
    let digits = in_database(&[&["7"], &admin[..]].concat());
    let expected = "NAME: must not consist of digits only";
    assert!(stderr(&digits).contains(expected), "{}", stderr(&digits));
    let server = Server::start();
    for (request, pointer) in [
        (json!({"name": "x", "scopes": ["admin"], "expires_in": "0s"}), "/expires_in"),
        (json!({"name": "x", "scopes": ["admin"], "expires_in": "1d"}), "/expires_in"),
        (json!({"name": "12", "scopes": ["admin"]}), "/name"),
    ] {
        let refused = server.post("/v1/keys", &request);
        assert_eq!((refused.status, pointers(&refused)), (422, vec![pointer.to_owned()]));
    }
}

#[test]
fn the_end_of_the_last_key_that_can_create_others_says_how_to_get_in_again() {
    let server = Server::start();
    let ops = first_key(&server).secret;
    for name in ["second", "third"] {
        ok(&run(&server, Some(&ops), &["key", "create", name, "--scope", "admin"]));
    }
    ok(&run(&server, Some(&ops), &["key", "create", "shop", "--scope", "submit"]));
    for name in ["second", "shop", "third"] {
        let revoked = run(&server, Some(&ops), &["key", "revoke", name]);
        ok(&revoked);
        assert!(revoked.stderr.is_empty(), "{}", stderr(&revoked));
    }
    let last = run(&server, Some(&ops), &["key", "revoke", "ops"]);
    assert_eq!(ok(&last), "key 1 is revoked: ops\n");
    let expected =
        "stop the server and run 'longshore key create NAME --scope admin --database FILE'";
    assert!(stderr(&last).contains(expected), "{}", stderr(&last));
}

#[test]
fn a_generated_key_is_a_valid_first_key() {
    let output = longshore(&["key", "generate"]).output().unwrap();
    let secret = ok(&output).trim().to_owned();
    let server = Setup::new().env("LONGSHORE_FIRST_KEY", &secret).start();
    let first = super::Key { id: 1, secret };
    call(&server, &first, "GET", "/v1/jobs", None).expect(200);
    assert_ne!(ok(&longshore(&["key", "generate"]).output().unwrap()).trim(), first.secret);
}
