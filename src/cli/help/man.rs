//! `longshore man`: prints the manual, which is built from the same definitions as the help.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Roff requests at the start of a page that define how quotes are printed. A page needs them once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Arguments of `longshore man`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore man | man -l -
  longshore man > /usr/local/share/man/man1/longshore.1
  longshore man --dir /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write one page per command to this directory, instead of a single page to stdout
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the manual, or writes it to a directory.
pub(crate) fn run(args: &ManArgs) -> Result<(), CliError> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    match &args.dir {
        Some(dir) => write_pages(&program, dir)
            .map_err(CliError::io(format!("cannot write pages to {}", dir.display()))),
        None => Output::new(false).text(&single_page(&program).map_err(CliError::output)?),
    }
}

/// Writes one page for the program and one for each visible command.
fn write_pages(program: &Command, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let commands = visible_commands(program).into_iter().map(|(_, command)| command);
    for command in std::iter::once(program).chain(commands) {
        let name = Man::new(command.clone()).get_filename();
        std::fs::write(dir.join(name), page(command)?)?;
    }
    Ok(())
}

/// Returns the commands that the help lists, with their names. A command such as `key` is followed by its
/// own commands, which may have commands as well.
fn visible_commands(program: &Command) -> Vec<(String, &Command)> {
    let is_visible = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let visible = program.get_subcommands().filter(is_visible);
    let with_own = visible.flat_map(|command| {
        let name = command.get_name();
        let own = visible_commands(command).into_iter();
        let own = own.map(move |(own, command)| (format!("{name} {own}"), command));
        std::iter::once((name.to_owned(), command)).chain(own)
    });
    with_own.collect()
}

/// Returns the page of one command.
fn page(command: &Command) -> io::Result<String> {
    let mut page = page_start(command)?;
    if command.has_subcommands() {
        page += &render(|text| Man::new(command.clone()).render_subcommands_section(text))?;
    }
    Ok(page + &notes(command))
}

/// Returns a single page on which each command has a section.
fn single_page(program: &Command) -> io::Result<String> {
    let mut page = page_start(program)?;
    for (name, command) in visible_commands(program) {
        page += &section(&name, command)?;
    }
    Ok(page + &notes(program))
}

/// Returns the start of a page, up to and including the options.
fn page_start(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let text = render(|text| {
        man.render_title(text)?;
        man.render_name_section(text)?;
        man.render_synopsis_section(text)?;
        man.render_description_section(text)?;
        man.render_options_section(text)
    })?;
    Ok(PREAMBLE.to_owned() + &text)
}

/// Returns a command as a section. The sections of its own page become subsections.
fn section(name: &str, command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let about = render(|text| man.render_description_section(text))?;
    let subsections = render(|text| {
        man.render_synopsis_section(text)?;
        man.render_options_section(text)
    })?;
    let subsections = format!("\n{subsections}{}", notes(command)).replace("\n.SH ", "\n.SS ");
    let heading = format!(".SH \"{}\"\n", name.to_uppercase());
    // The description follows the name of the command directly, without a heading of its own.
    Ok(heading + &about.replacen(".SH DESCRIPTION\n", "", 1) + subsections.trim_start())
}

/// Returns the text below the options of the help as a NOTES section with the same line breaks.
fn notes(command: &Command) -> String {
    let Some(text) = command.get_after_help() else { return String::new() };
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]).control("nf", []);
    for line in text.to_string().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    without_preamble(&roff.render())
}

/// Renders a part of a page and removes the preamble, which clap_mangen adds to every part.
fn render(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut text = Vec::new();
    write(&mut text)?;
    Ok(without_preamble(&String::from_utf8_lossy(&text)))
}

fn without_preamble(text: &str) -> String {
    let lines = text.lines().filter(|line| !PREAMBLE.lines().any(|other| other == *line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_single_page_has_every_command_with_its_options_and_examples() {
        let mut program = Cli::command();
        program.build();
        let page = single_page(&program).unwrap();
        assert_eq!(page.matches("\n.TH ").count() + usize::from(page.starts_with(".TH ")), 1);
        for (name, _) in visible_commands(&program) {
            let heading = format!("\n.SH \"{}\"\n", name.to_uppercase());
            assert!(page.contains(&heading), "{heading} is missing");
        }
        assert!(page.contains("\n.SH \"KEY CREATE\"\n"), "{page}");
        assert!(page.contains("\n.SH \"WEBHOOK SECRET ROTATE\"\n"), "{page}");
        assert_eq!(page.matches(PREAMBLE).count(), 1);
        assert_eq!(page.matches(".ie ").count(), 1);
        assert!(page.contains("\n.SS OPTIONS\n"), "{page}");
        assert!(page.contains("longshore submit echo"), "{page}");
    }
}
