//! A person at a terminal: `echo-net connect` on a pty.

use super::program::ECHO_NET;
use super::{PATIENCE, eventually};
use expectrl::process::Healthcheck;
use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Session};
use std::net::SocketAddr;
use std::process::Command;

/// Killed by its drop.
///
/// The size of the terminal is left as it is: crossterm 0.29 can forget a key that comes together with a change of
/// size.
pub(crate) struct Person(OsSession);

impl Person {
    /// Connects to `address`, and sees the prompt.
    #[track_caller]
    pub(crate) fn at_prompt(address: SocketAddr, options: &[&str]) -> Self {
        let mut command = Command::new(ECHO_NET);
        command.arg("connect").args(options).arg(address.to_string()).env("TERM", "xterm");
        let mut person = Self::of(command);
        person.sees("ends the conversation");
        person.sees("> ");
        person
    }

    /// Starts a command at the terminal.
    #[track_caller]
    pub(crate) fn of(command: Command) -> Self {
        let mut session = Session::spawn(command).expect("a pty");
        session.set_expect_timeout(Some(PATIENCE));
        Self(session)
    }

    #[track_caller]
    pub(crate) fn types(&mut self, keys: &str) {
        self.0.send(keys).expect("the terminal takes keys");
    }

    /// Types characters, and sees the last of them.
    #[track_caller]
    pub(crate) fn half_types(&mut self, keys: &str) {
        self.types(keys);
        self.sees(keys.get(keys.len() - 1..).expect("an ASCII character"));
    }

    /// Waits until this is shown.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        if let Err(error) = self.0.expect(text) {
            let mut rest = [0; 4096];
            let count = self.0.try_read(&mut rest).unwrap_or_default();
            panic!("{text:?} was not shown ({error}) but {:?}", String::from_utf8_lossy(&rest[..count]));
        }
    }

    /// Waits for the end of the program; gives what was still shown, and the exit code.
    #[track_caller]
    pub(crate) fn leaves(mut self) -> (String, i32) {
        let end = self.0.expect(Eof).expect("the program ends");
        let shown = String::from_utf8_lossy(end.as_bytes()).into_owned();
        let mut code = None;
        eventually("the end of the program", || {
            match self.0.get_process().get_status().expect("it is a child") {
                WaitStatus::Exited(_, exit) => code = Some(exit),
                WaitStatus::StillAlive => (),
                other => panic!("it ended by {other:?}"),
            }
            code.is_some()
        });
        (shown, code.expect("it has ended"))
    }
}
