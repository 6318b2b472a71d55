//! The watch: all sockets of this network namespace in a closing state, the worst first, with what is the matter.

mod cells;
mod holders;
mod json;
mod lines;
mod look;
mod picture;
mod prometheus;
mod target;
mod time_wait;

use crate::exit::Exit;
use crate::standard::StandardStream;
use crate::units;
use chrono::{Local, SecondsFormat, Utc};
use clap::Args;
use look::{Look, Stop, Watcher};
use picture::WatchPicture;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use target::{BadTarget, Named, Target};
use tcp_states::{Harm, READING};

/// The options of a watch.
#[derive(Clone, Debug, Args)]
pub(crate) struct WatchOptions {
    /// Watch all sockets of this machine in a closing state, or only those of a port or of a process
    #[arg(long, value_name = "PORT|PID", num_args = 0..=1, conflicts_with_all = ["first", "how", "peer", "ipv6", "explain", "step"])]
    pub(crate) watch: Option<Option<Named>>,

    /// Look once, and exit with 1 if something is stuck
    #[arg(long, requires = "watch")]
    pub(crate) once: bool,

    /// Time between two looks [default: 1 s]
    #[arg(long, value_name = "SECONDS", requires = "watch", conflicts_with = "once", value_parser = units::some_seconds)]
    interval: Option<Duration>,

    /// Time after which what does not move is stuck [default: 20 s]
    #[arg(long, value_name = "SECONDS", requires = "watch", value_parser = units::some_seconds)]
    stuck_after: Option<Duration>,

    /// Write metrics to FILE at each look, for the textfile collector of Prometheus
    #[arg(long, value_name = "FILE", requires = "watch")]
    prometheus: Option<PathBuf>,
}

/// How a watch is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Lines,
    Json,
}

impl WatchOptions {
    fn patience(&self) -> Duration {
        self.stuck_after.unwrap_or(Duration::from_secs(20))
    }

    fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_secs(1))
    }
}

/// Watches, until the output fails or the process is ended; with `--once` looks once.
///
/// # Errors
/// The exit code, and one line about what is missing.
pub(crate) fn run(options: &WatchOptions, form: Form) -> Result<Exit, (Exit, String)> {
    let (mut watcher, target) = open(options)?;
    let mut out = StandardStream::stdout();
    loop {
        let begin = Instant::now();
        let mut look = watcher.look();
        // Does a program read what it has? Only a second look can tell.
        if options.once && look.as_ref().is_ok_and(|look| look.is_open_question) {
            std::thread::sleep(READING);
            match watcher.look() {
                // What the first look showed is still true of it.
                Err(Stop::Ended(_)) => (),
                second => look = second,
            }
        }
        let look = look.map_err(Stop::exit)?;
        note(&look, options.prometheus.as_deref())?;
        print(&mut out, &look, target, options.patience(), form)
            .map_err(|error| (Exit::System, format!("cannot write: {error}")))?;
        if options.once {
            return Ok(if look.count(Harm::Stuck) > 0 { Exit::NotClean } else { Exit::Clean });
        }
        std::thread::sleep(options.interval().saturating_sub(begin.elapsed()));
    }
}

/// Looks once, for a picture.
///
/// # Errors
/// The exit code, and one line about what is missing.
pub(crate) fn picture(options: &WatchOptions) -> Result<WatchPicture, (Exit, String)> {
    let (mut watcher, target) = open(options)?;
    let look = watcher.look().map_err(Stop::exit)?;
    let prometheus = options.prometheus.clone();
    note(&look, prometheus.as_deref())?;
    Ok(WatchPicture::new(watcher, look, target, options.interval(), prometheus))
}

/// Writes the metrics.
fn note(look: &Look, prometheus: Option<&Path>) -> Result<(), (Exit, String)> {
    let Some(path) = prometheus else { return Ok(()) };
    prometheus::write(path, look).map_err(|error| (Exit::System, format!("cannot write {}: {error}", path.display())))
}

fn open(options: &WatchOptions) -> Result<(Watcher, Option<Target>), (Exit, String)> {
    let mut watcher = Watcher::open(options.patience()).map_err(system)?;
    let Some(named) = options.watch.flatten() else { return Ok((watcher, None)) };
    let target = named.resolve(|| watcher.sockets()).map_err(|error| match error {
        BadTarget::Unknown(line) => (Exit::Usage, line),
        BadTarget::Denied(line) | BadTarget::Ended(line) => (Exit::System, line),
    })?;
    watcher.limit_to(target);
    Ok((watcher, Some(target)))
}

fn print(
    out: &mut StandardStream,
    look: &Look,
    target: Option<Target>,
    patience: Duration,
    form: Form,
) -> io::Result<()> {
    if let Form::Json = form {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let document = json::Document::new(look, target, patience, &time);
        let mut out = BufWriter::new(out);
        serde_json::to_writer(&mut out, &document)?;
        out.write_all(b"\n")?;
        return out.flush();
    }
    let time = Local::now().format("%Y-%m-%d %H:%M:%S").to_string();
    out.write_all(lines::look(look, target, &time).as_bytes())
}

fn system(error: io::Error) -> (Exit, String) {
    (Exit::System, super::no_sock_diag(&error))
}
