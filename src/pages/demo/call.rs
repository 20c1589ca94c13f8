//! Requests to the API that the demo page makes and shows as `curl` commands.

use serde_json::Value;

use crate::job::Submission;

/// A request that a panel makes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// Name by which the script finds the request.
    pub(super) name: &'static str,
    /// Short description of what the request does.
    pub(super) about: &'static str,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
}

impl Call {
    /// Returns a request that submits one job.
    pub(super) fn one(
        name: &'static str,
        about: &'static str,
        query: &str,
        job: &Submission,
    ) -> Result<Self, serde_json::Error> {
        let (path, body) = (format!("/v1/jobs{query}"), serde_json::to_string(job)?);
        Ok(Self { name, about, method: "POST", path, body })
    }

    /// Returns a request that submits jobs as a batch, with one line per job.
    pub(super) fn batch(
        name: &'static str,
        about: &'static str,
        title: &str,
        jobs: &[Submission],
    ) -> Result<Self, serde_json::Error> {
        let jobs: Result<Vec<String>, _> = jobs.iter().map(serde_json::to_string).collect();
        let (title, jobs) = (Value::from(title), jobs?.join(",\n  "));
        let body = format!("{{\"name\": {title}, \"jobs\": [\n  {jobs}\n]}}");
        Ok(Self { name, about, method: "POST", path: "/v1/batches".into(), body })
    }

    /// Returns a request that limits the running jobs of a queue.
    pub(super) fn limit(
        name: &'static str,
        about: &'static str,
        queue: &str,
        max_running: u32,
    ) -> Self {
        let body = serde_json::json!({ "max_running": max_running }).to_string();
        Self { name, about, method: "PATCH", path: format!("/v1/queues/{queue}"), body }
    }

    /// Returns the request as a `curl` command for a shell.
    pub(super) fn curl(&self, origin: &str) -> String {
        let method = if self.method == "POST" { "" } else { &format!(" -X {}", self.method) };
        let (url, body) =
            (shell_quoted(&format!("{origin}{}", self.path)), shell_quoted(&self.body));
        format!("curl -s{method} {url} \\\n  -H 'Content-Type: application/json' \\\n  -d {body}")
    }
}

/// Quotes a text as one word of a POSIX shell.
pub(crate) fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(payload: &str) -> Submission {
        Submission::new("echo", payload).unwrap()
    }

    #[test]
    fn a_shell_passes_the_body_unchanged() {
        let call = Call::one("", "", "?wait=60s", &echo("it's $HOME `id` \\ \"\n")).unwrap();
        let command = call.curl("http://a:1").replace("curl -s", "printf '%s|'");
        let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = words.split('|').collect();
        assert_eq!(words[0], "http://a:1/v1/jobs?wait=60s");
        assert_eq!(words[1..4], ["-H", "Content-Type: application/json", "-d"]);
        assert_eq!(words[4], call.body);
    }

    #[test]
    fn a_batch_has_the_form_of_the_api() {
        let jobs = [echo("a"), echo("b")];
        let call = Call::batch("", "", "two \"echoes\"", &jobs).unwrap();
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!(body["name"], "two \"echoes\"");
        assert_eq!(body["jobs"][1]["payload"], "b");
        assert_eq!(call.body.lines().count(), 4);
    }

    #[test]
    fn methods_other_than_post_are_named() {
        let command = Call::limit("", "", "five", 5).curl("http://a:1");
        assert!(command.starts_with("curl -s -X PATCH 'http://a:1/v1/queues/five'"), "{command}");
        assert!(command.ends_with("-d '{\"max_running\":5}'"), "{command}");
    }
}
