//! The four stamps of each message, as a file.

use super::Failure;
use crate::exit::Exit;
use echo_net::echo_core::Stamps;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Bytes that a connection gathers before it writes them.
const GATHERED: usize = 64 * 1024;

/// The file. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Csv {
    path: PathBuf,
    out: Arc<Mutex<Out>>,
}

#[derive(Debug)]
struct Out {
    file: BufWriter<File>,
    /// The first write that failed.
    error: Option<io::Error>,
}

impl Csv {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let create = || {
            let mut file = BufWriter::new(File::create(path)?);
            file.write_all(b"connection,seq,t1,t2,t3,t4\n")?;
            Ok(file)
        };
        match create() {
            Ok(file) => Ok(Self { path: path.to_owned(), out: Arc::new(Mutex::new(Out { file, error: None })) }),
            Err(error) => Err(failed(path, &error)),
        }
    }

    /// Returns the rows of one connection.
    pub(super) fn rows(&self, connection: usize) -> Rows {
        Rows { csv: self.clone(), connection, text: String::new() }
    }

    /// Writes what is gathered.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let mut out = self.out.lock().map_err(|_| (Exit::System, "a thread panicked".to_owned()))?;
        let flushed = out.file.flush();
        match out.error.take().map_or(flushed, Err) {
            Ok(()) => Ok(()),
            Err(error) => Err(failed(&self.path, &error)),
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    (Exit::System, format!("cannot write {}: {error}", path.display()))
}

/// Rows that are gathered. Dropping it writes them.
#[derive(Debug)]
pub(super) struct Rows {
    csv: Csv,
    connection: usize,
    text: String,
}

impl Rows {
    pub(super) fn add(&mut self, seq: u64, stamps: &Stamps) {
        let Stamps { t1, t2, t3, t4 } = stamps;
        // A String takes all.
        let _ = writeln!(self.text, "{},{seq},{},{},{},{}", self.connection, t1.0, t2.0, t3.0, t4.0);
        if self.text.len() >= GATHERED {
            self.write();
        }
    }

    fn write(&mut self) {
        if let Ok(mut out) = self.csv.out.lock()
            && out.error.is_none()
            && let Err(error) = out.file.write_all(self.text.as_bytes())
        {
            out.error = Some(error);
        }
        self.text.clear();
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.write();
    }
}
