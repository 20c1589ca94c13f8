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
use crate::job::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    name: String,
    #[serde(default)]
    args: Vec<String>,
    stdin: Option<Json>,
}

/// A request that passed every check.
pub(super) struct Request<'a> {
    config: &'a CommandConfig,
    program: &'a str,
    args: Vec<String>,
    stdin: Vec<u8>,
}

impl<'a> Request<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// Every problem, with its place in the payload.
    pub(super) fn read(
        payload: &Json,
        commands: &'a BTreeMap<String, CommandConfig>,
    ) -> Result<Self, Vec<Problem>> {
        let Payload { name, args, stdin } = payload.read().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            if arg.contains('\0') {
                let why = "holds a NUL character, which no argument can";
                problems.push(Problem::new(format!("/args/{index}"), why));
            }
        }
        let found = commands.get(&name).and_then(|config| Some((config, config.argv.first()?)));
        if found.is_none() {
            let why = format!("there is no command {name:?}; {}", known(commands));
            problems.insert(0, Problem::new("/name", why));
        }
        match found {
            Some((config, program)) if problems.is_empty() => Ok(Self {
                config,
                program,
                args,
                stdin: stdin.as_ref().map(bytes_of).unwrap_or_default(),
            }),
            _ => Err(problems),
        }
    }

    /// What its standard input holds.
    pub(super) fn stdin(&self) -> &[u8] {
        &self.stdin
    }

    /// How long it may run by its own configuration.
    pub(super) fn timeout(&self) -> Duration {
        self.config.timeout.map_or(Duration::MAX, |timeout| timeout.duration())
    }

    /// The program, ready to start.
    pub(super) fn command(&self) -> process::Command {
        let mut command = process::Command::new(self.program);
        command.args(self.config.argv.iter().skip(1)).args(&self.args);
        command.env_clear().envs(self.inherited()).envs(&self.config.env);
        if let Some(cwd) = &self.config.cwd {
            command.current_dir(cwd);
        }
        command
    }

    /// The variables of the server's own environment that it sees.
    fn inherited(&self) -> impl Iterator<Item = (&String, std::ffi::OsString)> {
        let names = self.config.env_from.iter();
        names.filter_map(|name| Some((name, std::env::var_os(name)?)))
    }

    /// What it sees in its environment, which no message may repeat.
    pub(super) fn secrets(&self) -> Secrets {
        let inherited = self.inherited().filter_map(|(_, value)| value.into_string().ok());
        Secrets::new(inherited.chain(self.config.env.values().cloned()))
    }

    /// The outcome of a program that could not be started.
    pub(super) fn unspawned(&self, error: &io::Error) -> Outcome {
        let message = format!("cannot start {}: {error}", self.program);
        match Errno::from_io_error(error) {
            // Too many processes or open files, or the program is just being replaced: that passes.
            Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::TXTBSY) => {
                Outcome::retryable("spawn", message)
            }
            _ => Outcome::fatal("spawn", message),
        }
    }
}

/// A string as it is, any other value as JSON.
fn bytes_of(json: &Json) -> Vec<u8> {
    match json.read::<String>() {
        Ok(text) => text.into_bytes(),
        Err(_) => json.as_str().as_bytes().to_vec(),
    }
}

fn known(commands: &BTreeMap<String, CommandConfig>) -> String {
    if commands.is_empty() {
        return "no command is configured".into();
    }
    let names: Vec<&str> = commands.keys().map(String::as_str).collect();
    format!("known are {}", names.join(", "))
}
