//! The `longshore` program.

use std::process::ExitCode;

use clap::Parser;
use longshore::cli::{self, Cli};
use tikv_jemallocator::Jemalloc;

/// Returns memory to the system after a flood of large requests, which the allocator of glibc keeps.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // An error means that a default provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Without this thread, memory is only returned by later allocations. An error means that the platform
    // has no such thread.
    let _ = tikv_jemalloc_ctl::background_thread::write(true);
    cli::run(Cli::parse())
}
