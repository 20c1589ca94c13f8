//! An application and Longshore as two services, by the compose file and the commands in docs/DEPLOYING.md.
//! Each service is a host of its own that reaches the other one by its name, as in a network of containers.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::access::Access;
use crate::client::Client;
use crate::hosts::Hosts;
use crate::kit::Setup;
use crate::recipe::{block, replaced};

/// Returns the lines of a service of the compose file.
fn service(compose: &str, name: &str) -> Vec<String> {
    let head = format!("  {name}:");
    let lines = compose.lines().skip_while(|line| **line != head).skip(1);
    let own = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    own.map(str::to_owned).collect()
}

/// Returns the environment of a service.
fn environment(service: &[String]) -> HashMap<String, String> {
    let lines =
        service.iter().map(|line| line.trim()).filter(|line| line.starts_with("LONGSHORE_"));
    lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Returns the arguments of the program after `serve` in the command of a service.
fn serve_options(service: &[String]) -> Vec<String> {
    let command = service.iter().find_map(|line| line.trim().strip_prefix("command: ")).unwrap();
    let words: Vec<String> = serde_json::from_str(command).unwrap();
    assert_eq!(words[0], "serve");
    words[1..].to_vec()
}

/// A program in place of `docker`: the commands run on this host, and the services are started by the test.
const DOCKER: &str = r#"#!/bin/sh
case "$1 $2" in
    "run --rm") shift 3; exec longshore "$@" ;;
    "compose exec") shift 4; exec "$@" ;;
    "compose up") ;;
    *) exit 64 ;;
esac
"#;

/// The directory of the compose file, in which the commands of the page run.
struct Project<'a> {
    hosts: &'a Hosts,
    directory: PathBuf,
    /// Environment of the service `longshore`.
    environment: HashMap<String, String>,
}

impl Project<'_> {
    /// Writes the program that stands for `docker` into the directory.
    fn add_docker(&self) {
        let docker = self.directory.join("docker");
        fs::write(&docker, DOCKER).unwrap();
        fs::set_permissions(docker, Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a command of the page on the host of the server.
    fn run(&self, command: &str) {
        let program = Path::new(env!("CARGO_BIN_EXE_longshore")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{}:{path}", self.directory.display(), program.display());
        let mut shell = self.hosts.server_command("sh", &["-c", &self.with_secret(command)]);
        shell.current_dir(&self.directory).env("PATH", path).envs(&self.environment);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }

    /// Replaces the path of the secret in a container by that of its file.
    fn with_secret(&self, text: &str) -> String {
        text.replace("/run/secrets/first_key", self.directory.join("first.key").to_str().unwrap())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap().trim().to_owned()
    }
}

/// Returns the commands of the page before and after the start of the service `longshore`.
fn commands() -> [Vec<String>; 2] {
    let block = block("console", "docker compose exec");
    let lines = block.lines().map(|line| line.strip_prefix("$ ").unwrap().to_owned());
    let commands: Vec<String> = lines.collect();
    let start = commands.iter().position(|line| line == "docker compose up --detach longshore");
    let (before, after) = commands.split_at(start.unwrap());
    [before.to_vec(), after.to_vec()]
}

#[test]
fn an_application_reaches_the_server_by_the_name_of_its_service_with_its_own_key() {
    let Some(hosts) = Hosts::new() else { return };
    let compose = block("yaml", "services:");
    assert!(compose.contains("secrets:\n  first_key:\n    file: ./first.key\n"), "{compose}");
    let (app, longshore) = (service(&compose, "app"), service(&compose, "longshore"));
    hosts.name_server("longshore");
    let setup = Setup::new();
    let directory = setup.directory().to_owned();
    let database = directory.join("jobs.db").to_str().unwrap().to_owned();
    let mut project = Project { hosts: &hosts, directory, environment: environment(&longshore) };
    project.environment.insert("LONGSHORE_DATABASE".into(), database.clone());
    let file = project.environment["LONGSHORE_FIRST_KEY_FILE"].clone();
    let file = replaced(&file, &[("/run/secrets/first_key", &project.with_secret(&file))]);
    project.environment.insert("LONGSHORE_FIRST_KEY_FILE".into(), file);
    project.add_docker();
    let [before, after] = commands();
    before.iter().for_each(|command| project.run(command));
    let options = serve_options(&longshore);
    let setup = options.iter().fold(setup.only_variables(), |setup, option| setup.option(option));
    let setup =
        project.environment.iter().fold(setup, |setup, (name, value)| setup.env(name, value));
    let server = setup.wrapper(&hosts.on_server()).start();
    assert_eq!(server.addr().to_string(), "0.0.0.0:7373");
    after.iter().for_each(|command| project.run(command));

    let variables = environment(&app);
    let url = variables["LONGSHORE_URL"].clone();
    assert_eq!(variables["LONGSHORE_KEY"], "${LONGSHORE_KEY}");
    let key = project.read(".env").strip_prefix("LONGSHORE_KEY=").unwrap().to_owned();
    let client = Client::at(&hosts, url, &Access::with_key(&key));
    client.assert_runs_a_job();
    client.assert_events_pass_as_they_happen();
    // The application may submit, and nothing else.
    assert_eq!(client.status("/v1/keys", &[]), "403");
    assert_eq!(client.status("/v1/queues", &[]), "403");
    client.with(Access::with_key(&project.read("first.key"))).assert_needs_a_key();
    // A name that is not configured is refused, as that of a page whose name resolves to this server.
    let refused = client.json("/v1/queues", &["-H", "Host: evil.example"]);
    assert_eq!(refused["type"], "urn:longshore:problem:foreign-host", "{refused}");
    assert!(Path::new(&database).exists());
}
