//! The options that choose the server and the output format of a command.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::Args;

use crate::cli::client::{Client, UNIX};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::config::HttpUrl;

/// URL of the server if none is given.
const DEFAULT_URL: &str = "http://127.0.0.1:7373";
/// Environment variable that sets the URL of the server.
const VARIABLE: &str = "LONGSHORE_URL";
/// Environment variable that names the file of trusted certificates.
const CA_VARIABLE: &str = "LONGSHORE_CA";
/// Environment variable that sets the API key.
const KEY_VARIABLE: &str = "LONGSHORE_KEY";

/// The options that all client commands share. They may be given before or after the command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server and output")]
pub(super) struct Target {
    /// URL of the server, or unix:PATH for its Unix socket [env: LONGSHORE_URL] [default:
    /// http://127.0.0.1:7373]
    #[arg(long, value_name = "URL", value_parser = parse_server)]
    url: Option<String>,
    /// File with certificates of authorities to trust beside the public ones, in PEM form, for https://
    /// [env: LONGSHORE_CA]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// API key to send, if the server needs one. Prefer the variable: other users of the machine can see
    /// the arguments of a command [env: LONGSHORE_KEY]
    #[arg(long, value_name = "KEY")]
    key: Option<SentKey>,
    /// Print the JSON that the server sends, for programs
    #[arg(long)]
    json: bool,
}

/// Parses the base URL of a server and returns it in its normal form.
pub(super) fn parse_url(text: &str) -> Result<String, String> {
    match HttpUrl::parse_base(text) {
        Ok(url) => Ok(url.as_str().into()),
        Err(why) => Err(format!("{why}; a valid URL is, for example, {DEFAULT_URL}")),
    }
}

/// Parses the URL of a Longshore server, which may be that of a Unix socket.
fn parse_server(text: &str) -> Result<String, String> {
    match text.strip_prefix(UNIX) {
        Some("") => Err("must name the path of a socket, such as unix:/run/longshore.sock".into()),
        Some(_) => Ok(text.into()),
        None => parse_url(text),
    }
}

impl Target {
    /// Returns whether none of the options was given.
    pub(super) fn is_empty(&self) -> bool {
        self.url.is_none() && self.ca.is_none() && self.key.is_none() && !self.json
    }

    /// Takes the `--json` option, for a command that has a `--json` option of its own.
    pub(super) fn take_json(&mut self) -> bool {
        std::mem::take(&mut self.json)
    }

    /// Adds the options given before the command. An option after the command takes precedence.
    pub(super) fn add(&mut self, before: Self) {
        self.url = self.url.take().or(before.url);
        self.ca = self.ca.take().or(before.ca);
        self.key = self.key.take().or(before.key);
        self.json |= before.json;
    }

    /// Creates the client and the output that the options select.
    pub(super) fn open(&self) -> Result<(Client, Output), CliError> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => url_from_environment()?,
        };
        let ca = self.ca.clone().or_else(|| set_variable(CA_VARIABLE).map(PathBuf::from));
        let key = match &self.key {
            Some(SentKey(text)) => {
                Some(SentKey::parse(text).map_err(|why| CliError::Usage(format!("--key: {why}")))?)
            }
            None => key_from_environment()?,
        };
        let key = key.as_ref().map(|SentKey(text)| text.as_str());
        Ok((Client::with_key(&url, ca.as_deref(), key)?, self.output()))
    }

    /// Returns the output that the options select.
    pub(super) fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// Returns whether `--url` names a server.
    pub(super) fn names_server(&self) -> bool {
        self.url.is_some()
    }

    /// Returns whether `--url` or the environment variable names a server.
    pub(super) fn names_server_anywhere(&self) -> bool {
        self.names_server() || set_variable(VARIABLE).is_some()
    }
}

/// Returns the URL in the environment variable, or the default if it is unset or empty.
fn url_from_environment() -> Result<String, CliError> {
    let Some(value) = set_variable(VARIABLE) else { return Ok(DEFAULT_URL.into()) };
    let value = value.to_string_lossy();
    parse_server(&value).map_err(|why| CliError::Usage(format!("{VARIABLE}: {value:?} {why}")))
}

/// Returns the value of an environment variable, or `None` if it is unset or empty.
fn set_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns the key in the environment variable, or `None` if it is unset or empty.
fn key_from_environment() -> Result<Option<SentKey>, CliError> {
    let Some(value) = set_variable(KEY_VARIABLE) else { return Ok(None) };
    let key = SentKey::parse(&value.to_string_lossy());
    key.map(Some).map_err(|why| CliError::Usage(format!("{KEY_VARIABLE}: {why}")))
}

/// The text of an API key to send. It is never printed.
#[derive(Clone)]
struct SentKey(String);

impl SentKey {
    /// Checks that a text can be sent as a key. The server knows whether it is one.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let is_sendable = !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_graphic());
        if is_sendable {
            Ok(Self(text.into()))
        } else {
            Err("the key must be the text that 'longshore key create' printed")
        }
    }
}

/// Accepts every text, because the parser of the command line repeats a text that it refuses.
impl From<&str> for SentKey {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_after_the_command_takes_precedence() {
        let target = |url: Option<&str>, json| Target {
            url: url.map(str::to_owned),
            json,
            ..Target::default()
        };
        let mut both = target(Some("http://b"), false);
        both.add(target(Some("http://a"), true));
        assert_eq!((both.url.as_deref(), both.json), (Some("http://b"), true));
        let mut before = Target::default();
        before.add(target(Some("http://a"), false));
        assert_eq!((before.url.as_deref(), before.json), (Some("http://a"), false));
    }

    #[test]
    fn only_the_url_of_a_server_is_accepted() {
        for (good, url) in [
            ("http://127.0.0.1:7373", "http://127.0.0.1:7373/"),
            ("https://jobs.example/base/", "https://jobs.example/base/"),
            ("HTTP://0x7f.1:80", "http://127.0.0.1/"),
            ("http://jöbs.example", "http://xn--jbs-sna.example/"),
        ] {
            assert_eq!(parse_url(good).as_deref(), Ok(url), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:7373",
            "localhost",
            "ftp://a",
            "http://a?b=c",
            "http://",
            "http://a:99999",
            "http://a:",
            "http://user@a",
            "http://a#b",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_may_be_a_unix_socket() {
        for good in ["unix:/run/longshore.sock", "unix:relative.sock", "unix:/a b"] {
            assert_eq!(parse_server(good).as_deref(), Ok(good));
        }
        assert!(parse_server("unix:").is_err());
        assert!(parse_server("unix.example").is_err());
    }
}
