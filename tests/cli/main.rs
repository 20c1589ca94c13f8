//! The command line as users and scripts run it, in cases that need no Longshore server.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and the kit prints which tests it skips"
)]

mod credentials;
#[path = "../kit/mod.rs"]
mod kit;
mod live;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};

use kit::http::Target;
use kit::process::longshore;

/// The commands that the help lists.
const COMMANDS: [&str; 27] = [
    "serve",
    "submit",
    "batch",
    "status",
    "wait",
    "logs",
    "list",
    "cancel",
    "retry",
    "deliveries",
    "update",
    "queues",
    "pause",
    "resume",
    "providers",
    "prune",
    "key",
    "webhook",
    "top",
    "tail",
    "open",
    "backup",
    "verify",
    "demo",
    "mock-llm",
    "completions",
    "man",
];

/// Commands of `longshore batch`.
const BATCH_COMMANDS: [&str; 4] = ["results", "retry", "add", "close"];

/// The commands of `longshore key`.
const KEY_COMMANDS: [&str; 4] = ["create", "list", "revoke", "generate"];

/// The commands of `longshore webhook secret`.
const WEBHOOK_SECRET_COMMANDS: [&str; 4] = ["create", "list", "rotate", "delete"];

fn run(args: &[&str]) -> Output {
    longshore(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Returns a URL on which no server listens.
fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn the_help_of_every_command_has_examples() {
    let help = run(&["--help"]);
    for command in COMMANDS {
        assert!(stdout(&help).contains(command), "{command} is not in the list");
        let help = run(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0), "{command}");
        let text = stdout(&help);
        assert!(text.contains("Examples:\n  longshore "), "{command} has no examples: {text}");
    }
    let of_keys = KEY_COMMANDS.map(|command| vec!["key", command, "--help"]);
    let of_secrets = WEBHOOK_SECRET_COMMANDS.map(|name| vec!["webhook", "secret", name, "--help"]);
    let of_batches = BATCH_COMMANDS.map(|command| vec!["batch", command, "--help"]);
    let of_webhooks = vec!["webhook", "secret", "--help"];
    let of_others = of_batches.into_iter().chain([of_webhooks]);
    for command in of_keys.into_iter().chain(of_secrets).chain(of_others) {
        let text = stdout(&run(&command));
        assert!(text.contains("Examples:\n  longshore "), "{command:?} has no examples: {text}");
    }
}

#[test]
fn the_help_lists_the_exit_codes_and_variables() {
    let help = stdout(&run(&["--help"]));
    for code in ["0  done", "3  the server cannot be reached", "5  the job failed"] {
        assert!(help.contains(code), "{code} is missing in {help}");
    }
    assert!(stdout(&run(&["status", "--help"])).contains("LONGSHORE_URL"));
    assert!(stdout(&run(&["serve", "--help"])).contains("LONGSHORE_CONFIG"));
}

#[test]
fn wrong_usage_ends_with_2() {
    let wrong: [&[&str]; 34] = [
        &[],
        &["frobnicate"],
        &["submit"],
        &["submit", "echo", "not json"],
        &["submit", "echo", "--wiat"],
        &["submit", "echo", "--idempotency-key", ""],
        &["submit", "echo", "--delay", "soon"],
        &["submit", "echo", "--delay", "1s", "--run-at", "2030-01-01T00:00:00Z"],
        &["submit", "--ndjson", "-", "--queue", "mail"],
        &["status", "seventeen"],
        &["status", "1", "--url", "localhost"],
        &["--url", "http://127.0.0.1:7373", "serve"],
        &["--json"],
        &["list", "--state", "lost"],
        &["batch"],
        &["batch", "/dev/null"],
        &["tail", "--queue", "No Queue"],
        &["top"],
        &["open", "job"],
        &["open", "job", "seventeen"],
        &["completions", "tcl"],
        &["cancel"],
        &["backup"],
        &["verify", "a.db", "--database", "b.db"],
        &["mock-llm", "--fault", "429:2"],
        &["key"],
        &["key", "create", "a"],
        &["key", "create", "a", "--scope", "root"],
        &["key", "create", " a", "--scope", "read"],
        &["key", "create", "a", "--scope", "read", "--queue", "Shop"],
        &["--key", "x", "key", "generate"],
        &["webhook", "secret"],
        &["webhook", "secret", "create", "My Shop"],
        &["webhook", "secret", "rotate", "shop", "--overlap", "soon"],
    ];
    for args in wrong {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_ends_with_3() {
    let url = dead_url();
    let commands: [&[&str]; 20] = [
        &["submit", "echo", "1", "--wait"],
        &["logs", "1", "--follow"],
        &["tail"],
        &["batch", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/jobs.ndjson")],
        &["status", "1"],
        &["wait", "1"],
        &["list"],
        &["cancel", "1"],
        &["retry", "1"],
        &["queues"],
        &["pause", "mail"],
        &["resume", "mail"],
        &["providers", "local"],
        &["key", "create", "a", "--scope", "read"],
        &["key", "list"],
        &["key", "revoke", "a"],
        &["webhook", "secret", "create", "a"],
        &["webhook", "secret", "list"],
        &["webhook", "secret", "rotate", "a"],
        &["webhook", "secret", "delete", "a"],
    ];
    for args in commands {
        let by_variable = longshore(args).env("LONGSHORE_URL", &url).output().unwrap();
        let before = run(&[&["--url", &url, "--json"], args].concat());
        let after = run(&[args, &["--json", "--url", &url]].concat());
        for output in [by_variable, before, after] {
            assert_eq!(output.status.code(), Some(3), "{args:?}");
            assert!(stderr(&output).contains(&url), "{args:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn a_server_that_is_not_longshore_is_reported() {
    let plain = "content-type: text/plain\r\n";
    let target = Target::start(move |caller, _| caller.answer("404 Not Found", plain, "no\n"));
    for args in [&["list"][..], &["cancel", "1", "2"]] {
        let output = longshore(args).env("LONGSHORE_URL", target.url("")).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains("this is not a Longshore server"), "{output:?}");
    }
}

#[test]
fn wrong_usage_is_answered_with_the_expected_form() {
    let wrong: [(&[&str], &str); 5] = [
        (&["status", "abc"], "must be a number"),
        (&["retry", "x"], "the id \"x\" must be a number, such as 17"),
        (&["list", "--batch", "x"], "must be a number"),
        (&["serve", "--listen", "localhost:7373"], "write it like 127.0.0.1:7373"),
        (&["submit", "echo", "--wait", "5s"], "write --wait=5s"),
    ];
    for (args, expected) in wrong {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn a_missing_file_ends_with_1() {
    let output = run(&["submit", "echo", "@/no/such/file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot read /no/such/file"), "{}", stderr(&output));
}

#[test]
fn an_invalid_configuration_reports_every_problem_and_ends_with_2() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"lease = '1s'\n[lanes]\nasync = 0\n[queues.mail]\nmax_running = 0").unwrap();
    let path = file.path().to_str().unwrap();
    let twice = ["--listen", "127.0.0.1:80", "--listen", "127.0.0.1:80"];
    let output = run(&[&["serve", "--config", path], &twice[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    for field in [
        "listen.1: 127.0.0.1:80 is listed more than once",
        "lease:",
        "lanes.async:",
        "queues.mail.max_running:",
    ] {
        assert!(stderr(&output).contains(field), "{field} is missing in {}", stderr(&output));
    }
    let output = longshore(&["serve"]).env("LONGSHORE_LEESE", "5m").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("unknown field `leese`"), "{}", stderr(&output));
    let output = run(&["serve", "--log", "longshore=loud"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_missing_certificate_file_is_an_invalid_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let output = longshore(&["serve", "--listen", "127.0.0.1:0"])
        .current_dir(directory.path())
        .env("LONGSHORE_OUTBOUND__CA_FILE", "/no/such/file.pem")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("/no/such/file.pem"), "{output:?}");
}

#[test]
fn a_server_that_cannot_listen_does_not_create_a_database() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("jobs.db");
    let output = run(&["serve", "--listen", &listen, "--database", database.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("cannot listen on {listen}")), "{output:?}");
    assert!(!database.exists());
}

#[test]
fn an_address_that_other_machines_reach_is_refused_without_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("jobs.db");
    let serve = |args: &[&str]| {
        let database = ["serve", "--database", database.to_str().unwrap()];
        run(&[&database, args].concat())
    };
    for exposed in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let output = serve(&["--listen", "127.0.0.1:0", "--listen", exposed]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let expected =
            format!("listening on {exposed}, which other machines can reach, needs a key");
        assert!(stderr(&output).contains(&expected), "{output:?}");
    }
    assert!(!database.exists());
    let output = run(&["demo", "--once", "--listen", "0.0.0.0:0"]);
    assert!(stderr(&output).contains("needs a key"), "{output:?}");
}

#[test]
fn the_work_of_the_demonstration_is_a_hidden_command() {
    let output = run(&["demo-work", "1000"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "{\"below\":1000,\"primes\":168}\n");
    let text = stderr(&output);
    assert!(text.ends_with("::progress 100.0 counted up to 1000\n"), "{text}");
    assert_eq!(run(&["demo-work", "1000000000000"]).status.code(), Some(2));
    assert!(!stdout(&run(&["--help"])).contains("demo-work"));
}

#[test]
fn the_model_server_runs_until_a_signal_stops_it() {
    let mut child = longshore(&["mock-llm", "--port", "0", "--delay", "10ms"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let base_url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let question = r#"{"model": "mock", "messages": [{"role": "user", "content": "A joke?"}]}"#;
    let status = actix_web::rt::System::new().block_on(async {
        let post = awc::Client::builder().finish().post(format!("{base_url}/chat/completions"));
        post.send_body(question).await.unwrap().status()
    });
    assert_eq!(status.as_u16(), 200);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let text = stdout(&output);
        assert!(text.contains("longshore") && text.contains("idempotency-key"), "{shell}: {text}");
    }
}

#[test]
fn the_manual_is_a_single_page_or_one_page_per_command() {
    let page = stdout(&run(&["man"]));
    assert_eq!(page.matches("\n.TH ").count(), 1, "{page}");
    assert!(page.contains(".SH \"MOCK-LLM\""), "{page}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("man1");
    assert_eq!(run(&["man", "--dir", path.to_str().unwrap()]).status.code(), Some(0));
    let mut names: Vec<String> = COMMANDS.map(|name| format!("longshore-{name}.1")).into();
    names.push("longshore.1".into());
    names.extend(KEY_COMMANDS.map(|name| format!("longshore-key-{name}.1")));
    names.extend(BATCH_COMMANDS.map(|name| format!("longshore-batch-{name}.1")));
    names.push("longshore-webhook-secret.1".into());
    let of_secrets = WEBHOOK_SECRET_COMMANDS;
    names.extend(of_secrets.map(|name| format!("longshore-webhook-secret-{name}.1")));
    for name in &names {
        let page = std::fs::read_to_string(path.join(name)).unwrap();
        assert!(page.contains(".SH NOTES"), "{name}: {page}");
    }
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), names.len());
    // roff would interpret a line of help that starts with a full stop as a request.
    assert!(!page.contains("\n. "), "{page}");
}

#[test]
fn open_prints_the_url_of_a_page() {
    let url = "https://jobs.example/base/";
    let printed = |args: &[&str]| stdout(&run(&[args, &["--url", url]].concat()));
    assert_eq!(printed(&["open"]), "https://jobs.example/base/\n");
    assert_eq!(printed(&["open", "batch", "3"]), "https://jobs.example/base/batches/3\n");
}
