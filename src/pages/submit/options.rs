//! The options that all kinds share, such as queue, priority and timeout.

use std::str::FromStr;

use crate::auth::access::{QueueAccess, QueuePattern};
use crate::config::Config;
use crate::job::problem::Problem;
use crate::job::submission::{MAX_ATTEMPTS, PRIORITIES};
use crate::job::{Json, Lane, QueueName, Submission};
use crate::pages::forms::fields::Fields;
use crate::pages::submit::input::{Control, Input};

/// Returns the field of the queue, for a user who may use these queues. If that is one queue, it is filled in.
fn queue_input(queues: &QueueAccess) -> Input {
    let new = |hint: String| Input::new("queue", "Queue", hint, Control::Line);
    if queues.allows(&QueueName::default()) {
        return new("Empty for the queue named default".into());
    }
    let patterns: Vec<&str> = queues.patterns().iter().map(QueuePattern::as_str).collect();
    match patterns.as_slice() {
        [name] if !name.contains('*') => {
            Input { value: (*name).to_owned(), ..new("The only queue that the key may use".into()) }
        }
        patterns => new(format!("One that the key may use: {}", patterns.join(", "))),
    }
}

/// Returns the fields of the options, for a user who may use these queues.
pub(super) fn inputs(config: &Config, queues: &QueueAccess) -> Vec<Input> {
    use Control::{CheckBox, Choice, Line, Lines};
    let jobs = &config.jobs;
    let lanes = [("", "default of the kind"), ("remote", "remote: your own workers")];
    let lanes = lanes.map(|(value, name)| (value.to_owned(), name.to_owned()));
    let new = |name, label, hint: &str, control| Input::new(name, label, hint, control);
    vec![
        queue_input(queues),
        new("priority", "Priority", "-100 to 100; default 0", Line),
        new("delay", "Delay", "For example 10m; default none", Line),
        new("run_at", "Start at", "Such as 2030-01-31T12:00:00Z, instead of a delay", Line),
        new("expires_in", "Expires in", "For example 1h; cancelled if it has not started", Line),
        new("expires_at", "Expires at", "The same as a time", Line),
        new("max_attempts", "Max attempts", &format!("Default {}", jobs.max_attempts), Line),
        new("timeout", "Timeout", &format!("Per attempt; default {}", jobs.timeout), Line),
        new("lane", "Lane", "", Choice(lanes.into())),
        new("backoff", "Backoff", r#"JSON, such as {"initial": "5s", "max": "1h"}"#, Line),
        new(
            "idempotency_key",
            "Idempotency key",
            "Submitting the same key again returns the first job",
            Line,
        ),
        new("at_most_once", "Run at most once", "", CheckBox),
        new("truncate_result", "Truncate a large result", "", CheckBox),
        new("tags", "Tags", "One per line, at most ten", Lines(2)),
        new("metadata", "Metadata", "A JSON object, returned with the job", Lines(3)),
    ]
}

/// Parses the options into a submission without kind and payload.
///
/// # Errors
/// Returns a problem for every field that cannot be parsed.
pub(super) fn parse(fields: &Fields) -> Result<Submission, Vec<Problem>> {
    let mut problems = Vec::new();
    let (from, to) = (PRIORITIES.start(), PRIORITIES.end());
    let submission = Submission {
        queue: fields.trimmed("queue").map(str::to_owned),
        priority: number(
            fields,
            "priority",
            format!("must be between {from} and {to}"),
            &mut problems,
        ),
        delay: parsed(fields, "delay", &mut problems),
        run_at: parsed(fields, "run_at", &mut problems),
        expires_in: parsed(fields, "expires_in", &mut problems),
        expires_at: parsed(fields, "expires_at", &mut problems),
        timeout: parsed(fields, "timeout", &mut problems),
        max_attempts: number(
            fields,
            "max_attempts",
            format!("must be between 1 and {MAX_ATTEMPTS}"),
            &mut problems,
        ),
        lane: parsed::<Lane>(fields, "lane", &mut problems),
        tags: tags(fields.get("tags").unwrap_or_default()),
        at_most_once: fields.get("at_most_once").is_some(),
        truncate_result: fields.get("truncate_result").is_some(),
        backoff: json(fields, "backoff", |json| json.read(), &mut problems),
        metadata: json(fields, "metadata", Ok, &mut problems),
        ..Submission::default()
    };
    if problems.is_empty() { Ok(submission) } else { Err(problems) }
}

/// Parses a field that is JSON.
fn json<T>(
    fields: &Fields,
    name: &str,
    read: impl FnOnce(Json) -> Result<T, Problem>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let parsed = Json::checked(fields.trimmed(name)?).and_then(read);
    parsed.map_err(|problem| problems.push(problem.under(&format!("/{name}")))).ok()
}

fn tags(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// Parses a field; `requirement` is the message if that fails.
fn number<T: FromStr>(
    fields: &Fields,
    name: &str,
    requirement: String,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let parsed = fields.trimmed(name)?.parse().ok();
    if parsed.is_none() {
        problems.push(Problem::new(format!("/{name}"), requirement));
    }
    parsed
}

/// Parses a field whose type has an error message of its own.
fn parsed<T: FromStr<Err: std::fmt::Display>>(
    fields: &Fields,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    match fields.trimmed(name)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(Problem::new(format!("/{name}"), format!("is invalid: {error}")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Span;

    #[test]
    fn the_queue_is_filled_in_if_there_is_one_and_else_the_patterns_are_named() {
        let input = |patterns: &[&str]| {
            let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
            let input = queue_input(&QueueAccess::of(&patterns.collect::<Vec<_>>()));
            (input.value, input.hint)
        };
        let default = "Empty for the queue named default";
        assert_eq!(input(&[]), (String::new(), default.into()));
        assert_eq!(input(&["d*", "a"]), (String::new(), default.into()));
        assert_eq!(input(&["mail"]), ("mail".into(), "The only queue that the key may use".into()));
        let patterns = "One that the key may use: shop.*, mail";
        assert_eq!(input(&["shop.*", "mail"]), (String::new(), patterns.into()));
    }

    #[test]
    fn empty_fields_keep_their_defaults() {
        let parse = |form: &str| parse(&Fields::parse(form).unwrap());
        assert_eq!(parse("queue=&priority=&delay=&tags=&lane=").unwrap(), Submission::default());
        let submission =
            parse("queue=mail&priority=-5&delay=10m&tags=a%0D%0A+b,+c%0D%0A&at_most_once=yes");
        let expected = Submission {
            queue: Some("mail".into()),
            priority: Some(-5),
            delay: Some(Span::from_secs(600)),
            tags: vec!["a".into(), "b, c".into()],
            at_most_once: true,
            ..Submission::default()
        };
        assert_eq!(submission.unwrap(), expected);
    }

    #[test]
    fn every_invalid_field_is_named() {
        let form = "priority=high&delay=soon&timeout=-1s&max_attempts=x&lane=fast&run_at=1\
            &expires_at=tomorrow&expires_in=later&backoff=1s&metadata=%7B";
        let problems = parse(&Fields::parse(form).unwrap()).unwrap_err();
        let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        let expected = [
            "/priority",
            "/delay",
            "/run_at",
            "/expires_in",
            "/expires_at",
            "/timeout",
            "/max_attempts",
            "/lane",
            "/backoff",
            "/metadata",
        ];
        assert_eq!(pointers, expected);
    }
}
