//! The first key: how a new server gets it, and that nobody is locked out.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::{Key, call};
use crate::kit::{Server, Setup, eventually, pointers};
use longshore::auth::secret::KeySecret;

fn secret(number: u8) -> String {
    KeySecret::from_random([number; 32]).reveal().to_owned()
}

fn keys(server: &Server, secret: &str) -> Vec<String> {
    let key = Key { id: 0, secret: secret.into() };
    let keys = call(server, &key, "GET", "/v1/keys", None).expect(200);
    let keys = keys["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_new_server_takes_its_first_key_from_the_environment_and_only_then() {
    let mut server = Setup::new().env("LONGSHORE_FIRST_KEY", &secret(1)).start();
    server.get("/v1/jobs").problem(401);
    assert_eq!(keys(&server, &secret(1)), ["first"]);
    assert!(!server.log().contains(&secret(1)), "{}", server.log());
    let first = Key { id: 1, secret: secret(1) };
    call(&server, &first, "DELETE", "/v1/keys/1", None).expect(200);
    server.terminate();
    server.wait_for_exit();
    server.restart();
    eventually("the log warns", || {
        let log = server.log();
        (log.contains("WARN") && log.contains("this one is revoked or expired")).then_some(())
    });
    // A revoked key does not come back.
    call(&server, &first, "GET", "/v1/keys", None).problem(401);
}

#[test]
fn a_new_server_takes_its_first_key_from_a_file_that_may_be_removed_later() {
    let setup = Setup::new();
    let file = setup.directory().join("first.key");
    std::fs::write(&file, format!("\n  {}\n", secret(2))).unwrap();
    let mut server = setup.config(format!("first_key_file = '{}'", file.display())).start();
    assert_eq!(keys(&server, &secret(2)), ["first"]);
    std::fs::remove_file(&file).unwrap();
    server.terminate();
    server.wait_for_exit();
    server.restart();
    assert_eq!(keys(&server, &secret(2)), ["first"]);
}

fn set_mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_with_the_first_key_that_every_user_can_read_is_logged() {
    for (mode, is_open) in [(0o644, true), (0o640, false), (0o600, false)] {
        let setup = Setup::new();
        let file = setup.directory().join("first.key");
        std::fs::write(&file, secret(7)).unwrap();
        set_mode(&file, mode);
        let server = setup.config(format!("first_key_file = '{}'", file.display())).start();
        let log = eventually("the start is logged", || {
            Some(server.log()).filter(|log| log.contains("serving"))
        });
        let warning = "every user of this machine can read the first key; run: chmod o-rwx /";
        assert_eq!(log.contains(warning), is_open, "{mode:o}: {log}");
    }
}

#[test]
fn a_first_key_that_is_not_taken_is_logged_with_the_reason() {
    let setup = Setup::new();
    let file = setup.directory().join("first.key");
    std::fs::write(&file, secret(5)).unwrap();
    set_mode(&file, 0o600);
    let mut server = setup.config(format!("first_key_file = '{}'", file.display())).start();
    let mut log_of_restart = |change: &dyn Fn()| {
        change();
        server.terminate();
        server.wait_for_exit();
        let before = server.log().len();
        server.restart();
        assert_eq!(keys(&server, &secret(5)), ["first"]);
        let log = eventually("the start is logged", || {
            let log = server.log()[before..].to_owned();
            log.contains("serving").then_some(log)
        });
        assert!(!log.contains(&secret(5)) && !log.contains(&secret(6)), "{log}");
        log
    };
    let log = log_of_restart(&|| {});
    assert!(log.contains("INFO") && log.contains("the database has it already"), "{log}");
    assert!(!log.contains("WARN"), "{log}");
    let log = log_of_restart(&|| std::fs::write(&file, secret(6)).unwrap());
    assert!(log.contains("WARN") && log.contains("this one is not one of them"), "{log}");
    let log = log_of_restart(&|| std::fs::write(&file, "hunter2").unwrap());
    assert!(log.contains("WARN") && log.contains("49 letters and digits"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
    let log = log_of_restart(&|| std::fs::remove_file(&file).unwrap());
    assert!(log.contains("the file does not exist") && !log.contains("WARN"), "{log}");
}

#[test]
fn a_first_key_that_cannot_be_used_stops_the_start_and_is_not_shown() {
    let damaged = format!("{}x", &secret(3)[..51]);
    for (text, why) in [(&*damaged, "its checksum is wrong"), ("hunter2", "49 letters and digits")]
    {
        let output = Setup::new().env("LONGSHORE_FIRST_KEY", text).fail();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("LONGSHORE_FIRST_KEY") && error.contains(why), "{error}");
        assert!(!error.contains(text), "{error}");
    }
    let output = Setup::new().config("first_key_file = '/nonexistent/key'").fail();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("/nonexistent/key"), "{error}");
}

#[test]
fn a_server_that_other_machines_can_reach_starts_only_with_a_key() {
    let exposed = || Setup::new().option("--listen").option("0.0.0.0:0");
    let output = exposed().fail();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("0.0.0.0"), "{error}");
    assert!(error.contains("key create") && error.contains("--insecure-no-keys"), "{error}");
    let server = exposed().env("LONGSHORE_FIRST_KEY", &secret(4)).start();
    server.get("/v1/jobs").problem(401);
    assert_eq!(keys(&server, &secret(4)), ["first"]);
    let server = exposed().option("--insecure-no-keys").start();
    server.get("/v1/jobs").expect(200);
    eventually("the log warns", || server.log().contains("no key is required").then_some(()));
}

#[test]
fn the_first_key_must_be_able_to_create_others() {
    let server = Server::start();
    for request in [
        json!({"name": "shop", "scopes": ["submit", "read", "work"]}),
        json!({"name": "shop", "scopes": ["admin"], "queues": ["shop.*"]}),
    ] {
        let refused = server.post("/v1/keys", &request);
        assert!(refused.problem(422).contains("the first key must have the scope admin"));
        assert_eq!(pointers(&refused), ["/scopes"]);
    }
    let expires = json!({"name": "shop", "scopes": ["admin"], "expires_in": "90d"});
    let refused = server.post("/v1/keys", &expires);
    assert!(refused.problem(422).contains("the first key must not expire"));
    assert_eq!(pointers(&refused), ["/expires_in"]);
    server.get("/v1/jobs").expect(200);
    server.post("/v1/keys", &json!({"name": "ops", "scopes": ["admin"]})).expect(201);
}
