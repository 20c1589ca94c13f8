//! The header of a database file: its first 100 bytes.
//!
//! See <https://www.sqlite.org/fileformat.html>, "The Database Header".

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// First bytes of each SQLite database.
const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
/// Offset of the read version: 1 means rollback journal, 2 means write-ahead log.
const READ_VERSION_OFFSET: usize = 19;
/// Offset of the application id, a big-endian number of four bytes.
const APPLICATION_ID_OFFSET: usize = 68;

/// What the header of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// The file is empty. SQLite treats it as a new database.
    Empty,
    /// The file is no SQLite database.
    NotSqlite,
    /// The file is a SQLite database.
    Sqlite {
        /// Whether the database has a write-ahead log, which is true once a server has used it.
        uses_log: bool,
        /// Number of the application that the database belongs to; 0 if none is recorded.
        application_id: u32,
    },
}

impl Header {
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        match file.read_exact_at(&mut header, 0) {
            Ok(()) => Ok(Self::parse(&header)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(if file.metadata()?.len() == 0 { Self::Empty } else { Self::NotSqlite })
            }
            Err(error) => Err(error),
        }
    }

    fn parse(header: &[u8; HEADER_BYTES]) -> Self {
        if !header.starts_with(MAGIC) {
            return Self::NotSqlite;
        }
        let id = &header[APPLICATION_ID_OFFSET..APPLICATION_ID_OFFSET + 4];
        let application_id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
        Self::Sqlite { uses_log: header[READ_VERSION_OFFSET] != 1, application_id }
    }
}
