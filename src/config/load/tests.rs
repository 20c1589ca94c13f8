//! Tests of the sources of the configuration, and of their errors.

use super::*;
use crate::job::Span;

fn load_with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let owned = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    load(None, owned, &Overrides::default())
}

fn write(text: &str) -> tempfile::TempPath {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file.into_temp_path()
}

fn load_file(text: &str) -> Result<Config, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let variables = [("LONGSHORE_LANES__THREAD".to_string(), "3".to_string())];
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 9)).into()];
    load(Some(file.path()), variables, &Overrides { listen, database: None })
}

#[test]
fn a_later_source_overrides_an_earlier_one() {
    let text = "listen = '127.0.0.1:8'\nlanes = { async = 7, thread = 2 }\n\
                [queues.mail]\nmax_running = 5\n\
                [commands.hello]\nargv = ['echo']\nenv = { LANG = 'C' }";
    let config = load_file(text).unwrap();
    assert_eq!((config.lanes.async_, config.lanes.thread), (7, 3));
    assert_eq!(config.listen, ["127.0.0.1:9".parse().unwrap()]);
    assert_eq!(config.queues["mail"].max_running, Some(5));
    assert_eq!(config.commands["hello"].env["LANG"], "C");
}

#[test]
fn listen_is_one_address_or_a_list_in_every_source() {
    let written =
        |config: Config| -> Vec<String> { config.listen.iter().map(ToString::to_string).collect() };
    let read = |text: &str| load(Some(&write(text)), [], &Overrides::default()).unwrap();
    assert_eq!(written(read("listen = '[::1]:8'")), ["[::1]:8"]);
    let two = "listen = ['127.0.0.1:8', 'unix:/run/a.sock?mode=0660']";
    assert_eq!(written(read(two)), ["127.0.0.1:8", "unix:/run/a.sock?mode=0660"]);
    for (text, expected) in [
        ("127.0.0.1:8", &["127.0.0.1:8"] as &[&str]),
        ("[::1]:8", &["[::1]:8"]),
        ("[::1]:8, unix:/run/a.sock", &["[::1]:8", "unix:/run/a.sock"]),
        ("['unix:/a', '[::1]:8']", &["unix:/a", "[::1]:8"]),
    ] {
        assert_eq!(written(load_with(&[("LONGSHORE_LISTEN", text)]).unwrap()), expected, "{text}");
    }
    for (text, part) in [
        ("['unix:/a', 8]", "expected a string"),
        ("[unix:/a", "write it like 127.0.0.1:7373"),
        ("unix:/a,unix:/a", "listen.1: unix:/a is listed more than once"),
        ("unix:/a?mode=rw", "write it like unix:/run/longshore.sock?mode=0660"),
        ("", "must have at least one address"),
    ] {
        let error = load_with(&[("LONGSHORE_LISTEN", text)]).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn tls_needs_both_files_and_proxies_are_a_list() {
    let pair = [("LONGSHORE_TLS__CERT", "/a/cert.pem"), ("LONGSHORE_TLS__KEY", "/a/key.pem")];
    let config = load_with(&pair).unwrap();
    let tls = config.tls.unwrap();
    assert_eq!((tls.cert, tls.key), ("/a/cert.pem".into(), "/a/key.pem".into()));
    let error = load_with(&pair[..1]).unwrap_err().to_string();
    assert!(error.contains("LONGSHORE_TLS") && error.contains("missing field `key`"), "{error}");
    let error = load_file("[tls]\ncert = '/a'\nchain = '/b'").unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("unknown field `chain`"), "{error}");
    let config = load_with(&[("LONGSHORE_TRUSTED_PROXIES", "10.0.0.2, fd00::/8,unix")]).unwrap();
    let written: Vec<_> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["10.0.0.2", "fd00::/8", "unix"]);
    let error = load_with(&[("LONGSHORE_TRUSTED_PROXIES", "proxy.example")]).unwrap_err();
    assert!(error.to_string().contains("must be an address such as 10.0.0.2"), "{error}");
}

#[test]
fn variables_are_toml_or_strings() {
    let config = load_with(&[
        ("LONGSHORE_LEASE", "10m"),
        ("LONGSHORE_LANES__ASYNC", "64"),
        ("LONGSHORE_PROVIDERS__LOCAL__BASE_URL", "http://127.0.0.1:1/v1"),
        ("LONGSHORE_PROVIDERS__LOCAL__MAX_RUNNING", "4"),
        ("LONGSHORE_URL", "http://127.0.0.1:7373"),
        ("LONGSHORE_BINARY", "/usr/bin/longshore"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(config.lease, Span::from_secs(600));
    assert_eq!(config.lanes.async_, 64);
    assert_eq!(config.providers["local"].max_running, Some(4));
}

#[test]
fn variables_set_the_defaults_of_a_kind() {
    let config = load_with(&[
        ("LONGSHORE_KINDS__CHAT__QUEUE", "models"),
        ("LONGSHORE_KINDS__CHAT__TIMEOUT", "2m"),
        ("LONGSHORE_KINDS__CHAT__BACKOFF__INITIAL", "5s"),
    ])
    .unwrap();
    let chat = &config.kinds["chat"];
    assert_eq!(chat.queue.as_ref().map(|queue| queue.as_str()), Some("models"));
    assert_eq!((chat.timeout, chat.max_attempts), (Some(Span::from_secs(120)), None));
    assert_eq!(chat.backoff.unwrap().initial, Some(Span::from_secs(5)));
}

#[test]
fn the_env_variables_of_a_command_keep_their_names_and_are_strings() {
    let config = load_with(&[
        ("LONGSHORE_COMMANDS__E__ARGV", "['/usr/bin/env']"),
        ("LONGSHORE_COMMANDS__E__ENV__TOKEN", "x"),
        ("LONGSHORE_COMMANDS__E__ENV__Two__Parts", "8080"),
        ("LONGSHORE_COMMANDS__E__ENV__QUOTED", "'a b'"),
    ])
    .unwrap();
    let expected = [("QUOTED", "a b"), ("TOKEN", "x"), ("Two__Parts", "8080")];
    let env: Vec<(&str, &str)> =
        config.commands["e"].env.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(env, expected);
}

#[test]
fn errors_name_the_line_or_the_variable() {
    let error = load_file("listen = '127.0.0.1:8'\nleese = '5m'").unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("leese"), "{error}");
    let error = load_with(&[("LONGSHORE_LANES__ASYNC", "many")]).unwrap_err().to_string();
    assert!(error.contains("LONGSHORE_LANES__ASYNC"), "{error}");
    assert!(error.contains("expected a whole number"), "{error}");
    for error in [
        load_with(&[("LONGSHORE_LISTEN", "localhost:80")]).unwrap_err(),
        load_file("listen = 'localhost:80'").unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.ends_with("write it like 127.0.0.1:7373"), "{error}");
    }
    let error = load_file("[kinds.chat]\nqueue = 'No'").unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("must be 1 to 64 of"), "{error}");
    let error = load_with(&[("LONGSHORE_LEESE", "5m")]).unwrap_err().to_string();
    assert!(error.contains("unknown field `leese`"), "{error}");
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = "lease = '1s'\n[lanes]\nasync = 0\n[queues.mail]\nmax_running = 0\n\
                [jobs]\ntimeout = '0s'\n[kinds.chat]\nmax_attempts = 0";
    let error = load_file(text).unwrap_err().to_string();
    for part in [
        "5 problem(s)",
        "lease:",
        "lanes.async:",
        "queues.mail.max_running:",
        "jobs.timeout:",
        "kinds.chat.max_attempts:",
    ] {
        assert!(error.contains(part), "{part} is missing in {error}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_another_encoding_is_named() {
    let text = "\u{feff}lease = '10m'\n";
    assert_eq!(load_file(text).unwrap().lease, Span::from_secs(600));
    let file = tempfile::NamedTempFile::new().unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    std::fs::write(file.path(), utf16).unwrap();
    let error = load(Some(file.path()), [], &Overrides::default()).unwrap_err().to_string();
    assert!(error.ends_with(": is UTF-16BE; it must be UTF-8"), "{error}");
}

#[test]
fn a_table_is_never_taken_from_an_array() {
    for text in [
        "jobs = []",
        "jobs = ['1m', 3]",
        "[[jobs]]\ntimeout = '1m'",
        "[[queues.mail]]\nmax_running = 1",
        "[jobs]\nbackoff = ['1s', 2.0]",
        "[queues.mail]\nrate = [5, '1s']",
        "lanes = [1, 2]",
    ] {
        let error = load_file(text).unwrap_err().to_string();
        assert!(error.contains("invalid type: sequence, expected a"), "{text}: {error}");
    }
    for (name, value) in [("LONGSHORE_JOBS", "[]"), ("LONGSHORE_LANES", "[1, 2]")] {
        let error = load_with(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains("invalid type: sequence, expected a table"), "{name}: {error}");
    }
}

#[test]
fn a_duration_is_a_number_of_seconds_or_a_text() {
    let config = load_file("lease = 90\nretention = '30d'\nshutdown_grace = 0.5").unwrap();
    assert_eq!(config.lease, Span::from_secs(90));
    assert_eq!(config.retention, Span::from_secs(30 * 24 * 3_600));
    assert_eq!(config.shutdown_grace, Span::from_millis(500));
    for value in ["90", "90.0", "9e1", "1.5m"] {
        let config = load_with(&[("LONGSHORE_LEASE", value)]).unwrap();
        assert_eq!(config.lease, Span::from_secs(90), "{value}");
    }
    for (value, expected) in [
        ("nan", "a number of seconds such as 90"),
        ("inf", "between zero and ten years"),
        ("-1", "between zero and ten years"),
        ("1e300", "between zero and ten years"),
        ("true", "a number of seconds such as 90"),
        ("soon", "a number of seconds such as 90"),
        ("'90'", "a number of seconds such as 90"),
    ] {
        let error = load_with(&[("LONGSHORE_LEASE", value)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{value}: {error}");
    }
}

#[test]
fn two_variables_of_one_setting_are_refused_with_both_names() {
    let error = load_with(&[("LONGSHORE_LEASE", "1m"), ("LONGSHORE_lease", "2m")]).unwrap_err();
    let expected = "at LONGSHORE_lease: sets the same value as LONGSHORE_LEASE; remove one of them";
    assert!(error.to_string().contains(expected), "{error}");
    let env = [
        ("LONGSHORE_COMMANDS__HELLO__ARGV", "['echo']"),
        ("LONGSHORE_COMMANDS__HELLO__ENV__A", "1"),
        ("LONGSHORE_COMMANDS__HELLO__ENV__a", "2"),
    ];
    assert_eq!(load_with(&env).unwrap().commands["hello"].env.len(), 2);
}

#[test]
fn the_variables_that_kubernetes_sets_for_a_service_are_ignored() {
    let config = load_with(&[
        ("LONGSHORE_SERVICE_HOST", "10.96.12.7"),
        ("LONGSHORE_SERVICE_PORT", "7373"),
        ("LONGSHORE_PORT", "tcp://10.96.12.7:7373"),
        ("LONGSHORE_PORT_7373_TCP_ADDR", "10.96.12.7"),
        ("LONGSHORE_LEASE", "90"),
    ])
    .unwrap();
    assert_eq!(config, Config { lease: Span::from_secs(90), ..Config::default() });
    let error = load_with(&[("LONGSHORE_PORT", "8080")]).unwrap_err().to_string();
    assert!(error.contains("LONGSHORE_PORT"), "{error}");
}

#[test]
fn a_list_is_a_toml_array_or_entries_with_commas_in_between() {
    for (value, expected) in [
        ("a.example,b.example", &["a.example", "b.example"][..]),
        (" a.example , b.example ", &["a.example", "b.example"]),
        ("['a.example', \"b.example\"]", &["a.example", "b.example"]),
        ("'a.example,b.example'", &["a.example", "b.example"]),
        ("a.example", &["a.example"]),
        ("2024,true", &["2024", "true"]),
        ("2024", &["2024"]),
        ("", &[]),
        ("[]", &[]),
    ] {
        let config = load_with(&[("LONGSHORE_HOSTS", value)]).unwrap();
        assert_eq!(config.hosts, expected, "{value:?}");
    }
    let config = load_with(&[
        ("LONGSHORE_REMOTE_KINDS", "resize,transcode"),
        ("LONGSHORE_COMMANDS__LOAD__ARGV", "/bin/echo,-n"),
        ("LONGSHORE_COMMANDS__LOAD__ENV_FROM", "PATH,HOME"),
    ])
    .unwrap();
    assert_eq!(config.remote_kinds, ["resize", "transcode"]);
    assert_eq!(config.commands["load"].argv, ["/bin/echo", "-n"]);
    assert_eq!(config.commands["load"].env_from, ["PATH", "HOME"]);
    // A comma at the end leaves an empty entry, which is refused. So is an array that does not end.
    for value in ["a.example,", "['a.example', 'b.example'", "{ a = 1 }"] {
        let error = load_with(&[("LONGSHORE_HOSTS", value)]).unwrap_err().to_string();
        assert!(error.contains("hosts") || error.contains("LONGSHORE_HOSTS"), "{value}: {error}");
    }
}
