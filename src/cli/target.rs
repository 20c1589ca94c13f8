//! Which server a command speaks to, and in what form it prints.

use std::net::SocketAddr;

use actix_web::http::Uri;
use clap::Args;

use crate::cli::client::Client;
use crate::cli::output::Output;

/// The options that all client commands share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server and output")]
pub(super) struct Target {
    /// Where the server is
    #[arg(
        long,
        env = "LONGSHORE_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:7373",
        value_parser = parse_url
    )]
    url: String,
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
    /// The client and the output that these options ask for.
    pub(super) fn open(&self) -> (Client, Output) {
        (Client::new(&self.url), Output::new(self.json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
