//! An application and Longshore as two services, by the compose file in docs/DEPLOYING.md. Each service is
//! a host of its own that reaches the other one by its name, as in a network of containers.

use crate::hosts::Hosts;
use crate::kit::{Setup, tls};
use crate::recipe::block;
use crate::server::{Access, Client, start};

/// Returns the lines of a service of the compose file.
fn service(compose: &str, name: &str) -> Vec<String> {
    let head = format!("  {name}:");
    let lines = compose.lines().skip_while(|line| **line != head).skip(1);
    let own = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    own.map(str::to_owned).collect()
}

/// Returns the environment of a service.
fn environment(service: &[String]) -> Vec<(String, String)> {
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

#[test]
fn an_application_reaches_the_server_by_the_name_of_its_service() {
    let Some(hosts) = Hosts::new() else { return };
    let compose = block("yaml", "services:");
    let (app, longshore) = (service(&compose, "app"), service(&compose, "longshore"));
    hosts.name_server("longshore");
    let setup = Setup::new();
    let database = setup.directory().join("jobs.db");
    let options = serve_options(&longshore);
    let setup = options.iter().fold(setup.only_variables(), |setup, option| setup.option(option));
    let setup = environment(&longshore).into_iter().fold(setup, |setup, (name, value)| {
        let value =
            if name == "LONGSHORE_DATABASE" { database.to_str().unwrap().into() } else { value };
        setup.env(&name, &value)
    });
    let server = start(&hosts, setup);
    assert_eq!(server.addr().to_string(), "0.0.0.0:7373");
    let url = environment(&app).into_iter().find(|(name, _)| name == "LONGSHORE_URL").unwrap().1;
    let ca = tls::file("ca.pem").to_str().unwrap().into();
    let client = Client { hosts: &hosts, access: Access, url, ca };
    client.assert_runs_a_job();
    client.assert_events_pass_as_they_happen();
    // A name that is not configured is refused, as that of a page whose name resolves to this server.
    let refused = client.json("/v1/queues", &["-H", "Host: evil.example"]);
    assert_eq!(refused["type"], "urn:longshore:problem:foreign-host", "{refused}");
    assert!(database.exists());
}
