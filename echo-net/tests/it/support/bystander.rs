//! A server that gets invalid input, and two other connections that must not be affected.

use super::eventually;
use super::program::Serve;
use super::raw::Raw;
use super::time::HEADER;
use std::net::SocketAddr;

pub(crate) struct Bystander {
    serve: Serve,
    framed: Raw,
    plain: Raw,
    asked: u64,
}

impl Bystander {
    #[track_caller]
    pub(crate) fn watching(options: &[&str]) -> Self {
        let serve = Serve::start(options);
        let (framed, plain) = (Raw::greeted(serve.address), Raw::connect(serve.address));
        let mut bystander = Self { serve, framed, plain, asked: 0 };
        bystander.is_undisturbed();
        bystander
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.serve.address
    }

    /// Checks that both connections still work.
    #[track_caller]
    pub(crate) fn is_undisturbed(&mut self) {
        self.asked += 1;
        self.framed.asks(self.asked, b"still there?");
        self.plain.send(b"still there?\n");
        assert!(self.plain.bytes(HEADER + 13).ends_with(b"] still there?\n"));
    }

    /// Waits for the one line of the log about the end of the connection from `port`. Returns the line from there on.
    #[track_caller]
    pub(crate) fn log_of(&self, port: u16) -> String {
        let needle = format!("from 127.0.0.1:{port} ends: ");
        let line = self.serve.kid.logs(&needle);
        line.split_once(&needle).expect("it was found").1.to_owned()
    }

    /// Ends both connections, drains, and checks the report: `others` is its text about the ends of the other
    /// connections.
    #[track_caller]
    pub(crate) fn reports(mut self, connections: u64, others: &str) {
        self.is_undisturbed();
        let port = self.plain.stream.local_addr().expect("it is connected").port();
        self.framed.ends_clean(self.asked);
        self.plain.finish();
        assert_eq!(self.plain.rest(), b"");
        let needle = format!("from 127.0.0.1:{port} ends: unproven");
        eventually("the end of the bystander", || self.serve.kid.stderr().contains(&needle));
        let log = self.serve.kid.stderr();
        assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "the network's bytes are escaped: {log:?}");
        assert!(!log.contains("panicked"), "{log}");
        let (code, report) = self.serve.drain();
        assert_eq!(code, Some(0));
        let expected = format!("served {} connections ({others}), 0 refused at a limit, ", connections + 2);
        assert!(report.starts_with(&expected), "{report:?} does not begin with {expected:?}");
    }
}
