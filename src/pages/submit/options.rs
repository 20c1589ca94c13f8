//! The fields that every kind shares: when, how often and where a job runs.

use std::str::FromStr;

use crate::config::Config;
use crate::job::problem::Problem;
use crate::job::submission::{MAX_ATTEMPTS, PRIORITIES};
use crate::job::{Lane, Submission};
use crate::pages::fields::Fields;
use crate::pages::submit::input::{Control, Input};

pub(super) fn inputs(config: &Config) -> Vec<Input> {
    use Control::{Choice, Line, Lines, Tick};
    let jobs = &config.jobs;
    let lanes = [("", "that of its kind"), ("remote", "remote: a worker of your own")];
    let lanes = lanes.map(|(value, name)| (value.to_owned(), name.to_owned()));
    let new = |name, label, hint: &str, control| Input::new(name, label, hint, control);
    vec![
        new("queue", "Queue", "default if left empty", Line),
        new("priority", "Priority", "-100 to 100, 0 if left empty", Line),
        new("delay", "Delay", "Such as 10m; none if left empty", Line),
        new("max_attempts", "Attempts", &format!("{} if left empty", jobs.max_attempts), Line),
        new("timeout", "Timeout", &format!("An attempt; {} if left empty", jobs.timeout), Line),
        new("lane", "Lane", "", Choice(lanes.into())),
        new("tags", "Tags", "One a line, up to ten", Lines(2)),
        new("idempotency_key", "Idempotency key", "The same again gives the first job", Line),
        new("at_most_once", "Never run it twice", "", Tick),
    ]
}

/// A submission with these options, and neither kind nor payload.
///
/// # Errors
/// Every field that cannot be read.
pub(super) fn read(fields: &Fields) -> Result<Submission, Vec<Problem>> {
    let mut problems = Vec::new();
    let (from, to) = (PRIORITIES.start(), PRIORITIES.end());
    let submission = Submission {
        queue: fields.word("queue").map(str::to_owned),
        priority: number(
            fields,
            "priority",
            format!("lies between {from} and {to}"),
            &mut problems,
        ),
        delay: own(fields, "delay", &mut problems),
        timeout: own(fields, "timeout", &mut problems),
        max_attempts: number(
            fields,
            "max_attempts",
            format!("lies between 1 and {MAX_ATTEMPTS}"),
            &mut problems,
        ),
        lane: own::<Lane>(fields, "lane", &mut problems),
        tags: tags(fields.get("tags").unwrap_or_default()),
        at_most_once: fields.get("at_most_once").is_some(),
        ..Submission::default()
    };
    if problems.is_empty() { Ok(submission) } else { Err(problems) }
}

fn tags(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

fn number<T: FromStr>(
    fields: &Fields,
    name: &str,
    wanted: String,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let parsed = fields.word(name)?.parse().ok();
    if parsed.is_none() {
        problems.push(Problem::new(format!("/{name}"), wanted));
    }
    parsed
}

/// A value whose type says itself what is wrong.
fn own<T: FromStr<Err: std::fmt::Display>>(
    fields: &Fields,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    match fields.word(name)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(Problem::new(format!("/{name}"), format!("is {error}")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Span;

    #[test]
    fn fields_that_are_left_empty_stay_as_configured() {
        let read = |form: &str| read(&Fields::parse(form).unwrap());
        assert_eq!(read("queue=&priority=&delay=&tags=&lane=").unwrap(), Submission::default());
        let submission =
            read("queue=mail&priority=-5&delay=10m&tags=a%0D%0A+b,+c%0D%0A&at_most_once=yes");
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
    fn every_field_that_cannot_be_read_is_named() {
        let form = "priority=high&delay=soon&timeout=-1s&max_attempts=x&lane=fast";
        let problems = read(&Fields::parse(form).unwrap()).unwrap_err();
        let places: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(places, ["/priority", "/delay", "/timeout", "/max_attempts", "/lane"]);
    }
}
