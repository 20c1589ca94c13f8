//! `longshore completions`: prints a script with which a shell completes commands and options.

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Name of the program.
const NAME: &str = "longshore";

/// Arguments of `longshore completions`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore completions bash > ~/.local/share/bash-completion/completions/longshore
  longshore completions zsh > ~/.zfunc/_longshore
  longshore completions fish > ~/.config/fish/completions/longshore.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell that reads the script
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the completion script.
pub(crate) fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut visible_program(), NAME, &mut text);
    Output::new(false).text(&String::from_utf8_lossy(&text))
}

/// Returns the program without its hidden commands, which a shell would otherwise complete.
fn visible_program() -> Command {
    let program = Cli::command();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .args(program.get_arguments().cloned())
        .subcommands(commands.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_commands_in_the_help_are_completed() {
        let mut text = Vec::new();
        clap_complete::generate(Shell::Bash, &mut visible_program(), NAME, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\"-h -V --url --ca --key --json "), "{text}");
        for command in Cli::command().get_subcommands() {
            let name = format!(" {} ", command.get_name());
            assert_eq!(text.contains(&name), !command.is_hide_set(), "{name}");
        }
    }
}
