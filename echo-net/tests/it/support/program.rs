//! Programs as child processes: they are killed when a test fails, and their output is collected.

use super::{PATIENCE, eventually, eventually_within};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The program under test.
pub(crate) const ECHO_NET: &str = env!("CARGO_BIN_EXE_echo-net");

/// A child process that is killed with its test.
pub(crate) struct Kid {
    child: Child,
    stdout: Gathered,
    stderr: Gathered,
}

impl Kid {
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, stderr) = (Gathered::from(child.stdout.take()), Gathered::from(child.stderr.take()));
        Self { child, stdout, stderr }
    }

    /// Starts `echo-net` with these arguments, all standard streams piped.
    #[track_caller]
    pub(crate) fn echo_net(arguments: &[&str]) -> Self {
        Self::spawn(piped(Command::new(ECHO_NET).args(arguments)))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input.
    #[track_caller]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().expect("its input is open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("it reads its input");
    }

    /// Writes to its standard input and closes that. Ignores that the program may have ended.
    pub(crate) fn offer(&mut self, bytes: &[u8]) {
        if let Some(mut input) = self.child.stdin.take() {
            let _ = input.write_all(bytes);
        }
    }

    /// Takes its standard input, for a thread that writes to it.
    #[track_caller]
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("its input is open")
    }

    /// Closes its standard input.
    pub(crate) fn end_input(&mut self) {
        self.child.stdin = None;
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_some()
    }

    /// Waits until it has ended and its output is complete.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_for(PATIENCE)
    }

    /// The same with a longer limit.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, patience: Duration) -> ExitStatus {
        eventually_within(patience, "the end of a program", || self.has_ended());
        self.stdout.wait();
        self.stderr.wait();
        self.child.wait().expect("it has ended")
    }

    /// Waits until it has ended. Returns its exit code, standard output and standard error.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (Option<i32>, String, String) {
        let code = self.wait().code();
        (code, self.stdout(), self.stderr())
    }

    /// Sends a signal by its name.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Sends SIGKILL. It may have ended before.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Its standard output so far.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout.text.lock().expect("no reader panics")).into_owned()
    }

    /// Its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.text.lock().expect("no reader panics")).into_owned()
    }

    /// Waits for a line on standard output that contains `needle`.
    #[track_caller]
    pub(crate) fn says(&self, needle: &str) -> String {
        self.line(needle, Self::stdout)
    }

    /// Waits for a line on standard error that contains `needle`.
    #[track_caller]
    pub(crate) fn logs(&self, needle: &str) -> String {
        self.line(needle, Self::stderr)
    }

    #[track_caller]
    fn line(&self, needle: &str, text: impl Fn(&Self) -> String) -> String {
        let mut found = None;
        eventually(&format!("a line with {needle:?}"), || {
            let text = text(self);
            // The last line may be incomplete.
            let complete = text.rfind('\n').map_or("", |end| &text[..end]);
            found = complete.lines().find(|line| line.contains(needle)).map(str::to_owned);
            found.is_some()
        });
        found.expect("it was found")
    }
}

impl Drop for Kid {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- of a program:\n{}--- its errors:\n{}---", self.stdout(), self.stderr());
        }
    }
}

/// Sends a signal by its name to a process that this test has started.
#[track_caller]
pub(crate) fn signal(id: u32, name: &str) {
    let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "{name} cannot be sent to {id}");
}

/// `echo-net` with a shell's limit of open files (`ulimit -n 20`), all standard streams piped. It inherits no other
/// descriptors, because terminals of other tests would count.
pub(crate) fn limited(limit: &str, arguments: &[&str]) -> Command {
    let close = "for file in /proc/$$/fd/*; do number=${file##*/}; \
                 if [ \"$number\" -gt 2 ]; then eval \"exec $number>&-\"; fi; done";
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{close}; {limit} && exec \"$0\" \"$@\""), ECHO_NET]).args(arguments);
    piped(&mut command);
    command
}

/// The child processes of a process.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(path).expect("the kernel lists children");
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Pipes all three standard streams.
pub(crate) fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())
}

/// A running `echo-net serve`, and its address.
pub(crate) struct Serve {
    pub(crate) kid: Kid,
    pub(crate) address: SocketAddr,
}

impl Serve {
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(Command::new(ECHO_NET).args(["serve", "--listen", "127.0.0.1:0"]).args(arguments))
    }

    /// Starts a command that serves.
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::by(Kid::spawn(piped(command)))
    }

    /// Wraps a running program that prints its address on standard output.
    #[track_caller]
    pub(crate) fn by(kid: Kid) -> Self {
        let line = kid.says("listening on ");
        let (_, address) = line.split_once("listening on ").expect("it was found");
        Self { address: address.parse().expect("an address"), kid }
    }

    /// Drains it. Returns its exit code and the last line of its standard output.
    #[track_caller]
    pub(crate) fn drain(mut self) -> (Option<i32>, String) {
        self.kid.signal("INT");
        let code = self.kid.wait().code();
        (code, self.kid.stdout().lines().last().unwrap_or_default().to_owned())
    }
}

/// The output of a child, collected while it runs.
struct Gathered {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Gathered {
    fn from(pipe: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = text.clone();
        let reader = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                    into.lock().expect("no reader panics").extend_from_slice(&chunk[..count]);
                }
            })
        });
        Self { text, reader }
    }

    #[track_caller]
    fn wait(&self) {
        eventually("the end of what a program prints", || self.reader.as_ref().is_none_or(JoinHandle::is_finished));
    }
}

/// Starts socat as a mirror for one connection. Returns it and its address.
#[track_caller]
pub(crate) fn socat_mirror() -> (Kid, String) {
    let mut command = Command::new("socat");
    let socat = Kid::spawn(piped(command.args(["-d", "-d", "TCP4-LISTEN:0,bind=127.0.0.1", "PIPE"])));
    let line = socat.logs("listening on ");
    let address = line.split_whitespace().last().expect("an address").to_owned();
    (socat, address)
}
