//! Input files that are named by arguments.

use std::io::Read;

use crate::cli::error::CliError;
use crate::job::problem::encoding::text_start;

/// Reads a whole file, or stdin if the name is `-`. Skips a byte order mark of UTF-8.
pub(crate) fn read(name: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = read_bytes(name)?;
    match text_start(&bytes) {
        Ok(start) => {
            bytes.drain(..start);
            Ok(bytes)
        }
        Err(error) => {
            let name = if name == "-" { "stdin" } else { name };
            Err(CliError::Usage(format!("{name} {error}")))
        }
    }
}

fn read_bytes(name: &str) -> Result<Vec<u8>, CliError> {
    if name == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(CliError::io("cannot read stdin"))?;
        return Ok(bytes);
    }
    std::fs::read(name).map_err(CliError::io(format!("cannot read {name}")))
}
