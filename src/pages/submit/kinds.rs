//! The form of each kind, and the payload that it gives.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Config;
use crate::job::Json;
use crate::job::problem::Problem;
use crate::pages::fields::Fields;
use crate::pages::submit::input::{Control, Input};

/// The methods that are offered; others go as JSON.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Which fields a payload is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Http,
    Chat,
    Command,
    Sleep,
    /// One field with the payload as JSON.
    Json,
}

/// What a kind does.
pub(super) fn about(kind: &str) -> &'static str {
    match kind {
        "http" => {
            "Calls a URL. The answer is the result; 5xx, 429 and broken connections are tried again."
        }
        "chat" => {
            "Asks a language model of a configured provider. Its whole response is the result."
        }
        "command" => {
            "Runs a program that the operator has configured. What it prints is the result."
        }
        "sleep" => "Waits, for trying and measuring.",
        "echo" => "Gives its payload back, for trying and measuring.",
        _ => "Takes any JSON; its handler or worker reads it.",
    }
}

#[derive(Serialize)]
struct Http<'a> {
    url: &'a str,
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

impl Shape {
    pub(super) fn of(kind: &str, as_json: bool) -> Self {
        match kind {
            _ if as_json => Self::Json,
            "http" => Self::Http,
            "chat" => Self::Chat,
            "command" => Self::Command,
            "sleep" => Self::Sleep,
            _ => Self::Json,
        }
    }

    /// The fields.
    pub(super) fn inputs(self, config: &Config) -> Vec<Input> {
        use Control::{Choice, Line, Lines};
        let new = Input::new;
        match self {
            Self::Http => vec![
                new("url", "URL", "", Line),
                new("method", "Method", "", Choice(methods())),
                new("headers", "Headers", "One a line, such as Accept: text/plain", Lines(2)),
                new("body", "Body", "JSON is sent as JSON, anything else as text", Lines(5)),
            ],
            Self::Chat => vec![
                new("provider", "Provider", "", Choice(names(config.providers.keys()))),
                new("model", "Model", "As the provider calls it", Line),
                new("system", "System message", "May be left empty", Lines(2)),
                new("message", "Message", "", Lines(5)),
            ],
            Self::Command => vec![
                new("name", "Command", "", Choice(names(config.commands.keys()))),
                new("args", "Arguments", "One a line", Lines(3)),
                new("stdin", "Standard input", "May be left empty", Lines(4)),
            ],
            Self::Sleep => vec![Input {
                value: "5s".into(),
                ..new("duration", "Duration", "Such as 500ms, 5s or 1m", Line)
            }],
            Self::Json => {
                vec![new("payload", "Payload", "JSON; null if it is left empty", Control::Json)]
            }
        }
    }

    /// The payload.
    ///
    /// # Errors
    /// What is wrong, with its place in the submission.
    pub(super) fn payload(self, fields: &Fields) -> Result<Json, Vec<Problem>> {
        let word = |name| fields.word(name);
        let needed =
            |name, place: &str| word(name).ok_or_else(|| vec![Problem::new(place, "is missing")]);
        let read = match self {
            Self::Http => Json::of(&Http {
                url: needed("url", "/payload/url")?,
                method: word("method"),
                headers: headers(fields.get("headers").unwrap_or_default())?,
                body: fields.get("body").map(json_or_text),
            }),
            Self::Chat => {
                let message = needed("message", "/payload/message")?;
                let system = word("system").map(|content| Message { role: "system", content });
                let user = Message { role: "user", content: message };
                Json::of(&Chat {
                    provider: word("provider"),
                    model: word("model"),
                    messages: system.into_iter().chain([user]).collect(),
                })
            }
            Self::Command => Json::of(&Command {
                name: needed("name", "/payload/name")?,
                args: fields.get("args").map(|args| args.lines().collect()).unwrap_or_default(),
                stdin: fields.get("stdin").map(json_or_text),
            }),
            Self::Sleep => Json::of(&Sleep { duration: needed("duration", "/payload/duration")? }),
            Self::Json => {
                let text = word("payload").unwrap_or("null");
                return Json::checked(text).map_err(|problem| vec![problem.under("/payload")]);
            }
        };
        read.map_err(|error| vec![Problem::new("/payload", error)])
    }
}

fn methods() -> Vec<(String, String)> {
    let own = ("".into(), "GET, or POST with a body".into());
    [own].into_iter().chain(METHODS.map(|name| (name.into(), name.into()))).collect()
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> Vec<(String, String)> {
    names.map(|name| (name.clone(), name.clone())).collect()
}

/// A text that is JSON stands as such, any other as a string. Line ends are those of text files,
/// which a browser turns into CR LF.
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
            let why = format!("line {} is not of the form Name: value", number + 1);
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
        Shape::of(kind, false).payload(&Fields::parse(form).unwrap())
    }

    #[test]
    fn each_kind_gives_its_payload() {
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
    fn what_is_missing_or_no_json_is_told_with_its_place() {
        for (kind, form, place) in [
            ("http", "", "/payload/url"),
            ("http", "url=a&headers=nothing", "/payload/headers"),
            ("chat", "model=m", "/payload/message"),
            ("echo", "payload={", "/payload"),
            ("echo", "payload=[\"\\ud800\"]", "/payload/0"),
        ] {
            assert_eq!(payload(kind, form).unwrap_err()[0].pointer, place, "{kind} {form}");
        }
    }
}
