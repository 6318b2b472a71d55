//! Inputs that are stored as files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusEntry {
    /// The path of the file.
    pub path: PathBuf,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

/// A file or directory that could not be read, and the error.
#[derive(Debug)]
pub struct Unreadable {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for Unreadable {}

/// Reads the file `path`, or all files in the directory `path` and below it, sorted by name.
///
/// # Errors
/// The first file or directory that cannot be read.
pub fn inputs(path: &Path) -> Result<Vec<CorpusEntry>, Unreadable> {
    let unreadable = |error| Unreadable { path: path.to_owned(), error };
    if !path.is_dir() {
        let bytes = std::fs::read(path).map_err(unreadable)?;
        return Ok(vec![CorpusEntry { path: path.to_owned(), bytes }]);
    }
    let entries = std::fs::read_dir(path).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(unreadable)?;
    paths.sort();
    let all: Vec<Vec<CorpusEntry>> = paths.iter().map(|path| inputs(path)).collect::<Result<_, _>>()?;
    Ok(all.concat())
}
