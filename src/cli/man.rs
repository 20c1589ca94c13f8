//! `longshore man`: the manual, from the same definition as the help.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// How quotes are written, by what shows the page. It stands at the begin of a page, once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Where to write it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore man | man -l -
  longshore man > /usr/local/share/man/man1/longshore.1
  longshore man --dir /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write a page for each command into this directory, instead of one page on stdout
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints or writes the manual.
pub(super) fn run(args: &ManArgs) -> Result<(), CliError> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    match &args.dir {
        Some(dir) => write_pages(&program, dir)
            .map_err(CliError::io(format!("cannot write pages to {}", dir.display()))),
        None => Output::new(false).text(&whole(&program).map_err(CliError::output)?),
    }
}

/// A page a command.
fn write_pages(program: &Command, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for command in std::iter::once(program).chain(shown_commands(program)) {
        let name = Man::new(command.clone()).get_filename();
        std::fs::write(dir.join(name), page(command)?)?;
    }
    Ok(())
}

fn shown_commands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|command| !command.is_hide_set())
}

/// The page of one command by itself.
fn page(command: &Command) -> io::Result<String> {
    let mut page = head(command)?;
    if command.has_subcommands() {
        page += &part(|text| Man::new(command.clone()).render_subcommands_section(text))?;
    }
    Ok(page + &notes(command))
}

/// One page with all commands, each as a section of its own.
fn whole(program: &Command) -> io::Result<String> {
    let mut page = head(program)?;
    for command in shown_commands(program) {
        page += &section(command)?;
    }
    Ok(page + &notes(program))
}

/// The begin of a page, up to the options.
fn head(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let text = part(|text| {
        man.render_title(text)?;
        man.render_name_section(text)?;
        man.render_synopsis_section(text)?;
        man.render_description_section(text)?;
        man.render_options_section(text)
    })?;
    Ok(PREAMBLE.to_owned() + &text)
}

/// A command as a section: what are sections on a page of its own are parts of this one.
fn section(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let about = part(|text| man.render_description_section(text))?;
    let parts = part(|text| {
        man.render_synopsis_section(text)?;
        man.render_options_section(text)
    })?;
    let parts = format!("\n{parts}{}", notes(command)).replace("\n.SH ", "\n.SS ");
    let heading = format!(".SH \"{}\"\n", command.get_name().to_uppercase());
    // The description stands right below the name, without a title of its own.
    Ok(heading + &about.replacen(".SH DESCRIPTION\n", "", 1) + parts.trim_start())
}

/// What stands below the options in the help, line by line as it stands there.
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

/// What a part of a page looks like, without the preamble that each brings along.
fn part(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut text = Vec::new();
    render(&mut text)?;
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
    fn the_whole_page_has_every_command_with_its_options_and_examples() {
        let mut program = Cli::command();
        program.build();
        let page = whole(&program).unwrap();
        assert_eq!(page.matches("\n.TH ").count() + usize::from(page.starts_with(".TH ")), 1);
        for command in shown_commands(&program) {
            let heading = format!("\n.SH \"{}\"\n", command.get_name().to_uppercase());
            assert!(page.contains(&heading), "{heading} is missing");
        }
        assert_eq!(page.matches(PREAMBLE).count(), 1);
        assert_eq!(page.matches(".ie ").count(), 1);
        assert!(page.contains("\n.SS OPTIONS\n"), "{page}");
        assert!(page.contains("longshore submit echo"), "{page}");
    }
}
