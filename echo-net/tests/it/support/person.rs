//! A person at a terminal: `echo-net connect` on a pty.

use super::program::{ECHO_NET, children};
use super::{PATIENCE, eventually};
use expectrl::process::Healthcheck;
use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Session};
use std::net::SocketAddr;
use std::process::Command;

/// The program is killed on drop.
pub(crate) struct Person(OsSession);

impl Person {
    /// Connects to `address`, and waits for the prompt.
    #[track_caller]
    pub(crate) fn at_prompt(address: SocketAddr, options: &[&str]) -> Self {
        let mut command = Command::new(ECHO_NET);
        command.arg("connect").args(options).arg(address.to_string());
        let mut person = Self::of(command);
        person.sees("ends the conversation");
        person.sees("> ");
        person
    }

    /// Starts a command on the terminal.
    #[track_caller]
    pub(crate) fn of(command: Command) -> Self {
        let mut command = command;
        if !command.get_envs().any(|(name, _)| name == "ECHO_NET_HISTORY") {
            command.env("ECHO_NET_HISTORY", "");
        }
        command.env("TERM", "xterm");
        let mut session = Session::spawn(command).expect("a pty");
        session.set_expect_timeout(Some(PATIENCE));
        Self(session)
    }

    /// The first child of the process on the terminal.
    #[track_caller]
    pub(crate) fn child(&self) -> u32 {
        children(self.id())[0]
    }

    /// Changes the size of the window.
    pub(crate) fn resizes(&mut self, columns: u16, rows: u16) {
        self.0.get_process_mut().set_window_size(columns, rows).expect("a terminal has a size");
    }

    /// Pastes a text, as a terminal with bracketed paste does.
    pub(crate) fn pastes(&mut self, text: &str) {
        self.types(format!("\x1b[200~{text}\x1b[201~"));
    }

    #[track_caller]
    pub(crate) fn types(&mut self, keys: impl AsRef<[u8]>) {
        self.0.send(keys).expect("the terminal takes keys");
    }

    /// Types characters, and waits until the last of them is shown.
    #[track_caller]
    pub(crate) fn half_types(&mut self, keys: &str) {
        self.types(keys);
        self.sees(keys.get(keys.len() - 1..).expect("an ASCII character"));
    }

    /// Waits until `text` is shown.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        if let Err(error) = self.0.expect(text) {
            let mut rest = [0; 4096];
            let count = self.0.try_read(&mut rest).unwrap_or_default();
            panic!("{text:?} was not shown ({error}) but {:?}", String::from_utf8_lossy(&rest[..count]));
        }
    }

    /// The same. Returns what was shown before `text`.
    #[track_caller]
    pub(crate) fn sees_until(&mut self, text: &str) -> Vec<u8> {
        self.0.expect(text).expect("it is shown").before().to_vec()
    }

    /// Shows what the program writes on `screen`, until `text` is on it.
    #[track_caller]
    pub(crate) fn shows(&mut self, screen: &mut vt100::Parser, text: &str) {
        let mut what = format!("{text:?} on the screen");
        eventually(&what.clone(), || {
            let mut bytes = [0; 4096];
            if let Ok(count) = self.0.try_read(&mut bytes) {
                screen.process(&bytes[..count]);
            }
            what = screen.screen().contents();
            what.contains(text)
        });
    }

    /// Waits for the end of the program. Returns what was still shown, and the exit code.
    #[track_caller]
    pub(crate) fn leaves(mut self) -> (String, i32) {
        let end = self.0.expect(Eof).expect("the program ends");
        let shown = String::from_utf8_lossy(end.as_bytes()).into_owned();
        (shown, self.ends())
    }

    /// Waits for the end of the program. Ignores what is shown.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> i32 {
        let mut code = None;
        eventually("the end of the program", || {
            match self.0.get_process().get_status().expect("it is a child") {
                WaitStatus::Exited(_, exit) => code = Some(exit),
                WaitStatus::StillAlive => (),
                other => panic!("it ended by {other:?}"),
            }
            code.is_some()
        });
        code.expect("it has ended")
    }

    /// The process id of the program on the terminal.
    #[track_caller]
    pub(crate) fn id(&self) -> u32 {
        u32::try_from(self.0.get_process().pid().as_raw()).expect("a process")
    }
}
