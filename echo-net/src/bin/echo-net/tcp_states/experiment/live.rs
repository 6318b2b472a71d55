//! An experiment in a thread of its own, step by step, so that its sockets can be looked at between two steps.

use super::moment::{End, Moment};
use super::plan::{Plan, Side};
use super::script;
use super::stage::{self, Stage};
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use tcp_states::Kernel;

/// What the thread reports.
enum Report {
    Moment(Box<Moment>),
    Over,
    Failed(String),
}

/// A running experiment. It ends when this is dropped.
pub(crate) struct Live {
    reports: Receiver<Report>,
    /// One for each step.
    proceed: Sender<()>,
    kernel: Kernel,
}

impl Live {
    /// Starts an experiment. Returns it with its first moment.
    ///
    /// # Errors
    /// One line: something is missing on this machine.
    pub(crate) fn start(plan: Plan) -> Result<(Self, Moment), String> {
        let kernel = Kernel::open().map_err(|error| crate::tcp_states::no_sock_diag(&error))?;
        let (report, reports) = channel();
        let (proceed, wait) = channel();
        let thread = Builder::new().spawn(move || perform(plan, &report, &wait));
        thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        let live = Self { reports, proceed, kernel };
        match live.report()? {
            Some(first) => Ok((live, first)),
            None => Err("the experiment has no steps".to_owned()),
        }
    }

    /// Lets the next step happen. Returns the moment after it, or `None` after the last.
    ///
    /// # Errors
    /// One line: the step failed.
    pub(crate) fn next(&self) -> Result<Option<Moment>, String> {
        // The thread reports why it has ended.
        let _ = self.proceed.send(());
        self.report()
    }

    fn report(&self) -> Result<Option<Moment>, String> {
        match self.reports.recv() {
            Ok(Report::Moment(moment)) => Ok(Some(*moment)),
            Ok(Report::Over) => Ok(None),
            Ok(Report::Failed(line)) => Err(line),
            Err(_) => Err("the experiment's thread failed".to_owned()),
        }
    }

    /// Returns both ends as the kernel shows them now. The processes that hold them change only with a step.
    ///
    /// # Errors
    /// One line: the kernel does not answer.
    pub(crate) fn look(&self, before: &[End; 2]) -> Result<[End; 2], String> {
        let socket = |local: SocketAddr, remote: SocketAddr| {
            stage::socket(&self.kernel, local, remote).map_err(|error| crate::tcp_states::no_sock_diag(&error))
        };
        let [client, server] = before;
        let sockets = [socket(client.address, server.address)?, socket(server.address, client.address)?];
        Ok(Side::BOTH.map(|side| before[side as usize].updated(sockets[side as usize].as_ref())))
    }
}

fn perform(plan: Plan, report: &Sender<Report>, wait: &Receiver<()>) {
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut show = |moment: Moment| -> io::Result<()> {
        report.send(Report::Moment(Box::new(moment))).map_err(|_| gone())?;
        wait.recv().map_err(|_| gone())
    };
    let stage = Stage::open(plan.ipv6, &mut show);
    let performed = stage.and_then(|mut stage| script::perform(plan, &mut stage).map(|()| stage));
    match performed {
        Ok(stage) => {
            let _ = report.send(Report::Over);
            // The sockets stay as they are as long as somebody looks.
            while wait.recv().is_ok() {}
            drop(stage);
        }
        Err(line) => drop(report.send(Report::Failed(line))),
    }
}
