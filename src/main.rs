//! The `longshore` program.

use std::process::ExitCode;

use clap::Parser;
use longshore::cli::{self, Cli};

fn main() -> ExitCode {
    // An error says that one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(Cli::parse())
}
