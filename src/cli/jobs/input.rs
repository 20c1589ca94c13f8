//! Input files that are named by arguments.

use std::io::Read;

use crate::cli::error::CliError;

/// Reads a whole file, or stdin if the name is `-`.
pub(crate) fn read(name: &str) -> Result<Vec<u8>, CliError> {
    if name == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(CliError::io("cannot read stdin"))?;
        return Ok(bytes);
    }
    std::fs::read(name).map_err(CliError::io(format!("cannot read {name}")))
}
