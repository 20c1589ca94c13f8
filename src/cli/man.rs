//! `longshore man`: the manual, from the same definition as the help.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, roman};

use crate::cli::Cli;
use crate::cli::error::CliError;
use crate::cli::output::Output;

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
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    Ok(readable(text) + &notes(command))
}

/// One page with all commands, each as a section of its own.
fn whole(program: &Command) -> io::Result<String> {
    let man = Man::new(program.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let mut page = readable(text);
    for command in shown_commands(program) {
        page.push_str(&section(command)?);
    }
    Ok(page + &notes(program))
}

/// A command as a section: what are sections on a page of its own are parts of this one.
fn section(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let (mut about, mut text) = (Vec::new(), Vec::new());
    man.render_description_section(&mut about)?;
    man.render_synopsis_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let parts = readable(text) + &notes(command);
    let heading = format!(".SH \"{}\"\n", command.get_name().to_uppercase());
    // The description stands right below the name, without a title of its own.
    let about = readable(about).replacen(".SH DESCRIPTION\n", "", 1);
    Ok(heading + &about + &parts.replace("\n.SH ", "\n.SS ").replacen(".SH ", ".SS ", 1))
}

/// What stands below the options in the help, line by line as it stands there.
fn notes(command: &Command) -> String {
    let Some(text) = command.get_after_help() else { return String::new() };
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    roff.control("nf", []);
    for line in text.to_string().lines() {
        let line: Vec<Inline> = vec![roman(line)];
        roff.text(line);
    }
    roff.control("fi", []);
    roff.render().lines().filter(|line| !is_preamble(line)).fold(String::new(), with_line)
}

/// The text without the preamble that each part brings along but the first.
fn readable(text: Vec<u8>) -> String {
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut is_first = true;
    let keep = |line: &&str| !is_preamble(line) || std::mem::take(&mut is_first);
    text.lines().filter(keep).fold(String::new(), with_line)
}

fn with_line(mut text: String, line: &str) -> String {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
    text
}

fn is_preamble(line: &str) -> bool {
    line.starts_with(".ie ") || line.starts_with(".el ")
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
        assert!(page.contains("\n.SS OPTIONS\n"), "{page}");
        assert!(page.contains("longshore submit echo"), "{page}");
    }
}
