//! The experiment: a server and a client on loopback end in a chosen way, and each moment that matters is shown.
//!
//! Only ordinary calls on two sockets are used, so it needs no privilege and changes nothing of the machine. A FIN waits
//! behind data that nobody reads; that is how FIN-WAIT-1, CLOSING and LAST-ACK last long enough to be seen.

mod diagram;
mod live;
mod moment;
mod pair;
mod path;
mod picture;
mod plan;
mod script;
mod stage;
mod text;

use crate::exit::Exit;
use crate::standard::StandardStream;
use clap::Args;
use live::Live;
use moment::Moment;
use picture::ExperimentPicture;
use plan::Plan;
use serde::Serialize;
use stage::Stage;
use std::io::{self, IsTerminal as _, Write as _};

/// The options of an experiment.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ExperimentOptions {
    #[command(flatten)]
    plan: Plan,

    /// Print TCP's state diagram with the path that each end took
    #[arg(long)]
    explain: bool,

    /// At a terminal, wait for a key before each step
    #[arg(long)]
    step: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: u32,
    command: String,
    plan: Plan,
    moments: &'a [Moment],
}

/// Runs an experiment to its end, for a picture of it.
///
/// # Errors
/// Those of [`run`].
pub(crate) fn last_picture(options: &ExperimentOptions) -> Result<ExperimentPicture, (Exit, String)> {
    let plan = options.plan;
    let mut moments = Vec::new();
    let mut show = |moment: Moment| -> io::Result<()> {
        moments.push(moment);
        Ok(())
    };
    perform(plan, &mut show)?;
    let none = || (Exit::System, "the experiment has no steps".to_owned());
    ExperimentPicture::over(plan, moments, options.explain).ok_or_else(none)
}

/// Starts an experiment that is shown step by step.
///
/// # Errors
/// Those of [`run`].
pub(crate) fn picture(options: &ExperimentOptions) -> Result<ExperimentPicture, (Exit, String)> {
    options.plan.check().map_err(|line| (Exit::Usage, line))?;
    let (live, first) = Live::start(options.plan).map_err(|line| (Exit::System, line))?;
    Ok(ExperimentPicture::live(options.plan, live, first, options.explain, options.step))
}

/// Carries out a plan to its end. `show` gets each moment.
fn perform(plan: Plan, show: &mut dyn FnMut(Moment) -> io::Result<()>) -> Result<(), (Exit, String)> {
    plan.check().map_err(|line| (Exit::Usage, line))?;
    let stage = Stage::open(plan.ipv6, show);
    stage.and_then(|mut stage| script::perform(plan, &mut stage)).map_err(|line| (Exit::System, line))
}

/// Runs an experiment, and prints it.
///
/// # Errors
/// The exit code, and one line: something is missing on this machine, or the kernel shows other states than TCP has.
pub(crate) fn run(options: &ExperimentOptions, json: bool) -> Result<Exit, (Exit, String)> {
    let plan = options.plan;
    let mut out = StandardStream::stdout();
    let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut moments = Vec::new();
    let mut show = |moment: Moment| -> io::Result<()> {
        let written = if json { Ok(()) } else { out.write_all(text::moment(&moment).as_bytes()) };
        moments.push(moment);
        written
    };
    perform(plan, &mut show)?;
    let written = if json {
        let document =
            Document { schema: "echo-net/tcp-states", version: 1, command: plan.command(), plan, moments: &moments };
        serde_json::to_writer(&mut out, &document).map_err(io::Error::from).and_then(|()| out.write_all(b"\n"))
    } else if options.explain {
        out.write_all(diagram::text(&moments, color).as_bytes())
    } else {
        Ok(())
    };
    written.map_err(|error| (Exit::System, format!("cannot write: {error}")))?;
    Ok(Exit::Clean)
}
