//! The payload of a `command` job.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use serde::Deserialize;
use tokio::process;

use crate::config::CommandConfig;
use crate::executor::secrets::Secrets;
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::{Problem, Problems, Quoted};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with name")]
struct CommandPayload {
    name: String,
    #[serde(default)]
    args: Vec<String>,
    stdin: Option<Json>,
}

/// A valid request of a `command` job.
pub(super) struct CommandRequest<'a> {
    config: &'a CommandConfig,
    program: &'a str,
    args: Vec<String>,
    stdin: Vec<u8>,
}

impl<'a> CommandRequest<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// Returns all problems of the payload, each with a JSON pointer into it.
    pub(super) fn read(
        payload: &Json,
        commands: &'a BTreeMap<String, CommandConfig>,
    ) -> Result<Self, Vec<Problem>> {
        let CommandPayload { name, args, stdin } =
            payload.read_objects().map_err(|problem| vec![problem])?;
        let mut bad_args = Problems::default();
        for (index, arg) in args.iter().enumerate() {
            if arg.contains('\0') {
                let why = "must not contain a NUL character";
                bad_args.add(|| Problem::new(format!("/args/{index}"), why));
            }
        }
        let mut problems = bad_args.into_vec("/args");
        let found = commands.get(&name).and_then(|config| Some((config, config.argv.first()?)));
        if found.is_none() {
            let (name, known) = (Quoted(&name), configured(commands));
            let why = format!("command {name} does not exist; {known}");
            problems.insert(0, Problem::new("/name", why));
        }
        match found {
            Some((config, program)) if problems.is_empty() => Ok(Self {
                config,
                program,
                args,
                stdin: stdin.as_ref().map(stdin_bytes).unwrap_or_default(),
            }),
            _ => Err(problems),
        }
    }

    /// Returns the bytes for the standard input of the program.
    pub(super) fn stdin(&self) -> &[u8] {
        &self.stdin
    }

    /// Returns the timeout in the command's configuration, or the longest duration if it has none.
    pub(super) fn timeout(&self) -> Duration {
        self.config.timeout.map_or(Duration::MAX, |timeout| timeout.duration())
    }

    /// Returns the program with its arguments, environment and directory, ready to start.
    pub(super) fn command(&self) -> process::Command {
        let mut command = process::Command::new(self.program);
        command.args(self.config.argv.iter().skip(1)).args(&self.args);
        command.env_clear().envs(self.inherited()).envs(&self.config.env);
        if let Some(cwd) = &self.config.cwd {
            command.current_dir(cwd);
        }
        command
    }

    /// Returns the variables of the server's environment that the program sees.
    fn inherited(&self) -> impl Iterator<Item = (&String, std::ffi::OsString)> {
        let names = self.config.env_from.iter();
        names.filter_map(|name| Some((name, std::env::var_os(name)?)))
    }

    /// Returns the values of the program's environment variables, which messages must not repeat.
    pub(super) fn secrets(&self) -> Secrets {
        let inherited = self.inherited().filter_map(|(_, value)| value.into_string().ok());
        Secrets::new(inherited.chain(self.config.env.values().cloned()))
    }

    /// Returns the outcome of a program that could not be started.
    pub(super) fn spawn_failure(&self, error: &io::Error) -> Outcome {
        let message = format!("cannot start {}: {error}", self.program);
        match Errno::from_io_error(error) {
            // There are too many processes or open files, or the program file is being replaced.
            // Another attempt may succeed.
            Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::TXTBSY) => {
                Outcome::retryable("spawn", message)
            }
            _ => Outcome::fatal("spawn", message),
        }
    }
}

/// Returns the text of a JSON string, or the JSON text of any other value.
fn stdin_bytes(json: &Json) -> Vec<u8> {
    match json.read::<String>() {
        Ok(text) => text.into_bytes(),
        Err(_) => json.as_str().as_bytes().to_vec(),
    }
}

fn configured(commands: &BTreeMap<String, CommandConfig>) -> String {
    if commands.is_empty() {
        return "no command is configured".into();
    }
    let names: Vec<&str> = commands.keys().map(String::as_str).collect();
    format!("configured commands: {}", names.join(", "))
}
