//! Settings of the programs that jobs may run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;
use crate::job::submission::MAX_TIMEOUT;
use crate::job::time::Span;

/// A program that `command` jobs may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with argv")]
pub struct CommandConfig {
    /// Program and its first arguments. The arguments of the job are appended.
    pub argv: Vec<String>,
    /// Working directory of the program; that of the server if omitted.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Environment variables of the program, by name.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Names of variables of the server's environment that the program sees too.
    #[serde(default)]
    pub env_from: Vec<String>,
    /// Maximum duration of the program. It applies if it is shorter than the timeout of the job.
    #[serde(default)]
    pub timeout: Option<Span>,
}

impl CommandConfig {
    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.argv.first().is_none_or(String::is_empty) {
            problems.push(Problem::new("/argv", "must name the program to run"));
        }
        if self.argv.iter().any(|arg| arg.contains('\0')) {
            problems.push(Problem::new("/argv", "must not contain a NUL character"));
        }
        if let Some(cwd) = &self.cwd
            && !cwd.is_dir()
        {
            problems.push(Problem::new("/cwd", format!("{} is not a directory", cwd.display())));
        }
        let is_invalid = |name: &String| name.is_empty() || name.contains(['=', '\0']);
        if self.env.keys().any(is_invalid) || self.env.values().any(|value| value.contains('\0')) {
            let why =
                "names must not be empty or contain '=', and names and values must not contain NUL";
            problems.push(Problem::new("/env", why));
        }
        for (index, name) in self.env_from.iter().enumerate() {
            if is_invalid(name) || std::env::var_os(name).is_none() {
                let why = format!("names the environment variable {name}, which is not set");
                problems.push(Problem::new(format!("/env_from/{index}"), why));
            }
        }
        if self.timeout.is_some_and(|timeout| timeout.millis() == 0 || timeout > MAX_TIMEOUT) {
            problems
                .push(Problem::new("/timeout", format!("must be between 1ms and {MAX_TIMEOUT}")));
        }
        problems
    }
}
