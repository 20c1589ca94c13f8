//! The payload form of each kind.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Config;
use crate::job::Json;
use crate::job::problem::Problem;
use crate::pages::forms::fields::Fields;
use crate::pages::submit::input::{Control, Input};

/// The HTTP methods to select from. Other methods can be submitted as JSON.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// The set of fields that a payload is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadForm {
    Http,
    Chat,
    Command,
    Sleep,
    /// A single field with the payload as JSON.
    Json,
}

/// Describes what a kind does.
pub(super) fn description(kind: &str) -> &'static str {
    match kind {
        "http" => {
            "Sends an HTTP request. The result is the response; 5xx, 429 and connection errors are retried."
        }
        "chat" => {
            "Sends messages to a language model of a configured provider. The result is its response."
        }
        "command" => "Runs a program that the operator has configured. The result is its output.",
        "sleep" => "Waits for a duration. For tests and measurements.",
        "echo" => "Returns its payload as the result. For tests and measurements.",
        _ => "Accepts any JSON payload; a handler or a remote worker interprets it.",
    }
}

#[derive(Serialize)]
struct Http<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Json>,
}

#[derive(Serialize)]
struct Chat<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct Command<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Json>,
}

#[derive(Serialize)]
struct Sleep<'a> {
    duration: &'a str,
}

impl PayloadForm {
    /// Returns the payload form of a kind, or the JSON field if `as_json` is set.
    pub(super) fn new(kind: &str, as_json: bool) -> Self {
        match kind {
            _ if as_json => Self::Json,
            "http" => Self::Http,
            "chat" => Self::Chat,
            "command" => Self::Command,
            "sleep" => Self::Sleep,
            _ => Self::Json,
        }
    }

    /// Returns the fields of the form.
    pub(super) fn inputs(self, config: &Config) -> Vec<Input> {
        use Control::{Choice, Line, Lines};
        let new = Input::new;
        match self {
            Self::Http => {
                let mut inputs = vec![
                    new("url", "URL", "", Line),
                    new("method", "Method", "", Choice(methods())),
                    new("headers", "Headers", "One per line, such as Accept: text/plain", Lines(2)),
                    new(
                        "body",
                        "Body",
                        "Valid JSON is sent as JSON, anything else as text",
                        Lines(5),
                    ),
                ];
                if !config.providers.is_empty() {
                    let none = [("".into(), "None: call the URL".into())].into_iter();
                    let providers = none.chain(names(config.providers.keys())).collect();
                    let path = new("path", "Path", "At the provider, such as /v1/charges", Line);
                    inputs.splice(1..1, [new("provider", "Provider", "", Choice(providers)), path]);
                }
                inputs
            }
            Self::Chat => vec![
                new("provider", "Provider", "", Choice(names(config.providers.keys()))),
                new("model", "Model", "Name of the model at the provider", Line),
                new("system", "System message", "Optional", Lines(2)),
                new("message", "Message", "", Lines(5)),
            ],
            Self::Command => vec![
                new("name", "Command", "", Choice(names(config.commands.keys()))),
                new("args", "Arguments", "One per line", Lines(3)),
                new("stdin", "Standard input", "Optional", Lines(4)),
            ],
            Self::Sleep => vec![Input {
                value: "5s".into(),
                ..new("duration", "Duration", "For example 500ms, 5s or 1m", Line)
            }],
            Self::Json => {
                vec![new("payload", "Payload", "JSON; null if empty", Control::Json)]
            }
        }
    }

    /// Builds the payload from the submitted fields.
    ///
    /// # Errors
    /// Returns the problems with their JSON pointers in the submission.
    pub(super) fn payload(self, fields: &Fields) -> Result<Json, Vec<Problem>> {
        let optional = |name| fields.trimmed(name);
        let required = |name, pointer: &str| {
            optional(name).ok_or_else(|| vec![Problem::new(pointer, "is required")])
        };
        let payload = match self {
            Self::Http => Json::of(&Http {
                url: match optional("provider").or(optional("path")) {
                    Some(_) => optional("url"),
                    None => Some(required("url", "/payload/url")?),
                },
                provider: optional("provider"),
                path: optional("path"),
                method: optional("method"),
                headers: headers(fields.get("headers").unwrap_or_default())?,
                body: fields.get("body").map(json_or_text),
            }),
            Self::Chat => {
                let message = required("message", "/payload/message")?;
                let system = optional("system").map(|content| Message { role: "system", content });
                let user = Message { role: "user", content: message };
                Json::of(&Chat {
                    provider: optional("provider"),
                    model: optional("model"),
                    messages: system.into_iter().chain([user]).collect(),
                })
            }
            Self::Command => Json::of(&Command {
                name: required("name", "/payload/name")?,
                args: fields.get("args").map(|args| args.lines().collect()).unwrap_or_default(),
                stdin: fields.get("stdin").map(json_or_text),
            }),
            Self::Sleep => {
                Json::of(&Sleep { duration: required("duration", "/payload/duration")? })
            }
            Self::Json => {
                let text = optional("payload").unwrap_or("null");
                return Json::checked(text).map_err(|problem| vec![problem.under("/payload")]);
            }
        };
        payload.map_err(|error| vec![Problem::new("/payload", error)])
    }
}

fn methods() -> Vec<(String, String)> {
    let default = ("".into(), "GET, or POST with a body".into());
    [default].into_iter().chain(METHODS.map(|name| (name.into(), name.into()))).collect()
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> Vec<(String, String)> {
    names.map(|name| (name.clone(), name.clone())).collect()
}

/// Returns a text as JSON if it is valid JSON, and as a JSON string otherwise. Converts CR LF, which
/// browsers send in forms, back to LF.
fn json_or_text(text: &str) -> Json {
    let text = text.replace("\r\n", "\n");
    Json::checked(text.trim())
        .or_else(|_not_json| Json::of(&text))
        .unwrap_or_else(|_never| Json::null())
}

fn headers(text: &str) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let mut headers = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            let why = format!("line {} must have the form Name: value", number + 1);
            return Err(vec![Problem::new("/payload/headers", why)]);
        };
        headers.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(kind: &str, form: &str) -> Result<Json, Vec<Problem>> {
        PayloadForm::new(kind, false).payload(&Fields::parse(form).unwrap())
    }

    #[test]
    fn each_kind_builds_its_payload() {
        for (kind, form, json) in [
            (
                "http",
                "url=http://a&headers=Accept:+text/plain%0D%0A&body={\"a\":1.50}",
                r#"{"url":"http://a","headers":{"Accept":"text/plain"},"body":{"a":1.50}}"#,
            ),
            (
                "http",
                "url=http://a&method=PUT&body=a%0D%0Ab",
                r#"{"url":"http://a","method":"PUT","body":"a\nb"}"#,
            ),
            ("http", "url=&provider=stripe&path=/v1/a", r#"{"provider":"stripe","path":"/v1/a"}"#),
            (
                "chat",
                "provider=local&model=m&message=hi",
                r#"{"provider":"local","model":"m","messages":[{"role":"user","content":"hi"}]}"#,
            ),
            (
                "command",
                "name=report&args=-v%0D%0Aa+b&stdin=x",
                r#"{"name":"report","args":["-v","a b"],"stdin":"x"}"#,
            ),
            ("sleep", "duration=5s", r#"{"duration":"5s"}"#),
            ("echo", "payload=+[1,+2.50]+", "[1, 2.50]"),
            ("echo", "payload=", "null"),
        ] {
            assert_eq!(payload(kind, form).unwrap().as_str(), json);
        }
    }

    #[test]
    fn missing_fields_and_invalid_json_are_reported_with_a_pointer() {
        for (kind, form, pointer) in [
            ("http", "", "/payload/url"),
            ("http", "url=a&headers=nothing", "/payload/headers"),
            ("chat", "model=m", "/payload/message"),
            ("echo", "payload={", "/payload"),
            ("echo", "payload=[\"\\ud800\"]", "/payload/0"),
        ] {
            assert_eq!(payload(kind, form).unwrap_err()[0].pointer, pointer, "{kind} {form}");
        }
    }
}
