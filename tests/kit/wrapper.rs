//! Commands that are started through another program, such as a shell that first sets the umask.

use std::process::{Command, Stdio};

/// Returns a command that starts another one through a program.
pub(crate) fn wrapped(command: Command, wrapper: &[String]) -> Command {
    let [program, arguments @ ..] = wrapper else { return command };
    let mut outer = Command::new(program);
    outer.args(arguments).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer.stdin(Stdio::null());
    outer
}
