//! The setting that says where the database is.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the database is: a file, or the URL of a database server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PathBuf", into = "PathBuf")]
pub enum Database {
    /// A SQLite database in this file.
    File(PathBuf),
    /// The database of a server at this URL, which this version does not support yet.
    Url(String),
}

impl Database {
    /// Returns the path of the file, or `None` for a URL.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Url(_) => None,
        }
    }

    /// Returns why this setting is not allowed; `None` if it is.
    pub fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Url(_) => Some(
                "is a URL, and this version has no backend for a database server; \
                 use the path of a file",
            ),
            Self::File(path) => {
                let name = path.to_string_lossy();
                let is_special =
                    name.is_empty() || name.starts_with(':') || name.starts_with("file:");
                is_special.then_some(
                    "must be the path of a file; an in-memory database would lose every job",
                )
            }
        }
    }
}

impl From<PathBuf> for Database {
    fn from(path: PathBuf) -> Self {
        match path.to_str() {
            Some(text) if is_url(text) => Self::Url(text.to_owned()),
            _ => Self::File(path),
        }
    }
}

/// Returns whether a text is a URL with any scheme (RFC 3986), such as `postgres://db/jobs`.
fn is_url(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

impl From<&str> for Database {
    fn from(text: &str) -> Self {
        PathBuf::from(text).into()
    }
}

impl From<Database> for PathBuf {
    fn from(database: Database) -> Self {
        match database {
            Database::File(path) => path,
            Database::Url(url) => url.into(),
        }
    }
}

impl fmt::Display for Database {
    /// Writes the path, or the URL without the name and password of the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => match (url.split_once("://"), url.rsplit_once('@')) {
                (Some((scheme, _)), Some((_, address))) => write!(f, "{scheme}://{address}"),
                _ => f.write_str(url),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_from_a_path_and_shown_without_its_password() {
        for (text, is_file, shown) in [
            ("a.db", true, "a.db"),
            ("/var/lib/postgres/a.db", true, "/var/lib/postgres/a.db"),
            ("postgres://ann:secret@db/jobs", false, "postgres://db/jobs"),
            ("postgresql://db/jobs", false, "postgresql://db/jobs"),
            ("mysql://ann:secret@db/jobs", false, "mysql://db/jobs"),
            ("data/://a.db", true, "data/://a.db"),
        ] {
            let database = Database::from(text);
            assert_eq!((database.file().is_some(), database.to_string()), (is_file, shown.into()));
            assert_eq!(database.problem().is_none(), is_file, "{text}");
        }
    }
}
