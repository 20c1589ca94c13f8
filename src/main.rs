//! The `longshore` program.

use std::process::ExitCode;

use clap::Parser;
use longshore::cli::{self, Cli};

fn main() -> ExitCode {
    // An error means that a default provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(Cli::parse())
}
