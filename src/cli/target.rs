//! Which server a command speaks to, and in what form it prints.

use std::net::SocketAddr;

use actix_web::http::Uri;
use clap::Args;

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Where the server is unless it is said.
const DEFAULT_URL: &str = "http://127.0.0.1:7373";
/// The variable that says it.
const VARIABLE: &str = "LONGSHORE_URL";

/// The options that all client commands share. They may stand before the command or behind it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server and output")]
pub(super) struct Target {
    /// Where the server is [env: LONGSHORE_URL] [default: http://127.0.0.1:7373]
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    url: Option<String>,
    /// Print the server's JSON, for programs
    #[arg(long)]
    json: bool,
}

fn parse_url(text: &str) -> Result<String, &'static str> {
    match text.parse() {
        Ok(uri) if is_server(&uri) => Ok(text.into()),
        _ => Err("not a server's URL; write it like http://127.0.0.1:7373"),
    }
}

/// Where a server is to listen.
pub(super) fn parse_listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_error| "not an address with a port; write it like 127.0.0.1:7373 or [::1]:7373")
}

fn is_server(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return false };
    // A port that is no number below 65536 is left out of `port`, and would become 80.
    let has_good_port =
        authority.port().is_some() || authority.as_str().ends_with(authority.host());
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    is_http && has_good_port && uri.query().is_none()
}

impl Target {
    /// Whether nothing is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.url.is_none() && !self.json
    }

    /// Whether JSON was asked for, for a command that sees to that by itself.
    pub(super) fn take_json(&mut self) -> bool {
        std::mem::take(&mut self.json)
    }

    /// Adds what stood before the command; what stands behind it wins.
    pub(super) fn add(&mut self, before: Self) {
        self.url = self.url.take().or(before.url);
        self.json |= before.json;
    }

    /// The client and the output that these options ask for.
    pub(super) fn open(&self) -> Result<(Client, Output), CliError> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => url_of_variable()?,
        };
        Ok((Client::new(&url), Output::new(self.json)))
    }
}

/// What the variable says; set to nothing it says nothing.
fn url_of_variable() -> Result<String, CliError> {
    let set = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let Some(value) = set else { return Ok(DEFAULT_URL.into()) };
    let value = value.to_string_lossy();
    parse_url(&value).map_err(|why| CliError::Usage(format!("{VARIABLE}: {value:?} is {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_the_command_wins() {
        let target = |url: Option<&str>, json| Target { url: url.map(str::to_owned), json };
        let mut both = target(Some("http://b"), false);
        both.add(target(Some("http://a"), true));
        assert_eq!((both.url.as_deref(), both.json), (Some("http://b"), true));
        let mut before = Target::default();
        before.add(target(Some("http://a"), false));
        assert_eq!((before.url.as_deref(), before.json), (Some("http://a"), false));
    }

    #[test]
    fn only_a_servers_url_is_taken() {
        for good in ["http://127.0.0.1:7373", "https://jobs.example/base/"] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:7373",
            "localhost",
            "ftp://a",
            "http://a?b=c",
            "http://",
            "http://a:99999",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }
}
