//! `longshore completions`: what a shell needs to complete commands and options.

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// The name of the program.
const NAME: &str = "longshore";

/// For which shell.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore completions bash > ~/.local/share/bash-completion/completions/longshore
  longshore completions zsh > ~/.zfunc/_longshore
  longshore completions fish > ~/.config/fish/completions/longshore.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the completions.
pub(super) fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut shown(), NAME, &mut text);
    Output::new(false).text(&String::from_utf8_lossy(&text))
}

/// The program without the commands that the help does not list; shells would complete them.
fn shown() -> Command {
    let whole = Cli::command();
    let commands = whole.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .args(whole.get_arguments().cloned())
        .subcommands(commands.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_completed_that_the_help_lists_and_no_other() {
        let mut text = Vec::new();
        clap_complete::generate(Shell::Bash, &mut shown(), NAME, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\"-h -V --url --json "), "{text}");
        for command in Cli::command().get_subcommands() {
            let name = format!(" {} ", command.get_name());
            assert_eq!(text.contains(&name), !command.is_hide_set(), "{name}");
        }
    }
}
