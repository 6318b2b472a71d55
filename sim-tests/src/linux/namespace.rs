//! User and network namespaces: how a process gets into one of its own, and the proof that it is there.

use std::ffi::OsStr;
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The environment variable with the network namespace of the process that started this one.
const PARENT: &str = "ECHO_PARENT_NETNS";
const OWN: &str = "/proc/self/ns/net";
/// The driver of TUN devices.
const TUN: &str = "/dev/net/tun";

/// Proof that this process is in a network namespace of its own, which holds nothing but loopback.
///
/// Only [`Isolated::prove`] makes one. All that changes a network takes one.
#[derive(Clone, Copy, Debug)]
pub struct Isolated(());

/// Why a process is not in a network namespace of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotIsolated(String);

impl fmt::Display for NotIsolated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not in a network namespace of its own: {}", self.0)
    }
}

impl std::error::Error for NotIsolated {}

/// Returns a command that runs `program` in new user, network, process and mount namespaces. It needs no privilege.
///
/// The program is the first process of its namespace: when it ends, the kernel ends everything it has started, and
/// removes its network. It is killed when the thread that has started it ends.
///
/// # Errors
/// This process's own namespace cannot be read, for example because `/proc` is missing.
pub fn isolated_command(program: impl AsRef<OsStr>) -> io::Result<Command> {
    // It dies with the thread that starts it, also before it reads its input.
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--mount-proc",
    ]);
    command.arg("--").arg(program).env(PARENT, identity(OWN)?);
    Ok(command)
}

/// Returns why nothing of this module can work on this machine, in one line; `None` if it can.
pub fn why_not() -> Option<String> {
    let runs = |what: &str, command: io::Result<Command>| {
        let output = command.and_then(|mut command| command.stdin(Stdio::null()).output());
        match output {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                Some(format!("{what}: {}", text.lines().next().unwrap_or("it fails")))
            }
            Err(error) => Some(format!("{what}: {error}")),
        }
    };
    let device = OpenOptions::new().read(true).write(true).open(TUN);
    runs("setpriv and unshare (util-linux)", isolated_command("true"))
        .or_else(|| {
            let mut ip = Command::new("ip");
            ip.arg("-V");
            runs("ip (iproute2)", Ok(ip))
        })
        .or_else(|| device.err().map(|error| format!("{TUN}: {error}")))
}

impl Isolated {
    /// Checks that this process is in another network namespace than the one that started it, and that it sees no
    /// interface but `lo`.
    ///
    /// # Errors
    /// [`NotIsolated`] with the reason. Nothing was changed.
    pub fn prove() -> Result<Self, NotIsolated> {
        let parent = std::env::var(PARENT).map_err(|_| NotIsolated(format!("{PARENT} is not set")))?;
        let own = identity(OWN).map_err(|error| NotIsolated(format!("{OWN}: {error}")))?;
        let interfaces =
            interfaces().map_err(|error| NotIsolated(format!("its interfaces cannot be read: {error}")))?;
        let users =
            std::fs::read_to_string("/proc/self/uid_map").map_err(|error| NotIsolated(format!("uid_map: {error}")))?;
        Self::judge(&parent, &own, &interfaces, &users)
    }

    fn judge(parent: &str, own: &str, interfaces: &[String], users: &str) -> Result<Self, NotIsolated> {
        if !own.starts_with("net:[") || !parent.starts_with("net:[") {
            return Err(NotIsolated(format!("{own:?} and {parent:?} are not both namespaces")));
        }
        if own == parent {
            return Err(NotIsolated(format!("it shares {own} with the process that started it")));
        }
        if interfaces != ["lo"] {
            return Err(NotIsolated(format!("it sees the interfaces {interfaces:?}, not only lo")));
        }
        // The user namespace of `isolated_command` has one user; that of a machine, or of a container, has many.
        let mapped: Vec<&str> = users.split_whitespace().collect();
        if !matches!(mapped[..], ["0", _, "1"]) {
            return Err(NotIsolated(format!("its user namespace maps {:?}, not one user", users.trim())));
        }
        Ok(Self(()))
    }
}

/// Returns the identity of a namespace, such as `net:[4026532180]`.
fn identity(path: &str) -> io::Result<String> {
    std::fs::read_link(Path::new(path)).map(|target| target.to_string_lossy().into_owned())
}

/// Returns the names of the interfaces of this process's network namespace.
fn interfaces() -> io::Result<Vec<String>> {
    let table = std::fs::read_to_string("/proc/self/net/dev")?;
    let name = |line: &str| line.split_once(':').map(|(name, _)| name.trim().to_owned());
    Ok(table.lines().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_own_namespace_with_nothing_but_loopback_is_a_proof() {
        let lo = ["lo".to_owned()];
        let one = "         0       1000          1\n";
        assert!(Isolated::judge("net:[1]", "net:[2]", &lo, one).is_ok());
        for (parent, own, interfaces, users) in [
            ("net:[1]", "net:[1]", &lo[..], one),
            ("net:[1]", "net:[2]", &["lo".to_owned(), "eth0".to_owned()], one),
            ("net:[1]", "net:[2]", &["eth0".to_owned()], one),
            ("net:[1]", "net:[2]", &[], one),
            ("", "net:[2]", &lo, one),
            ("net:[1]", "", &lo, one),
            ("net:[1]", "net:[2]", &lo, "         0          0 4294967295\n"),
            ("net:[1]", "net:[2]", &lo, ""),
        ] {
            assert!(Isolated::judge(parent, own, interfaces, users).is_err(), "{parent} {own} {interfaces:?} {users}");
        }
    }

    /// The test itself runs in the machine's own namespace.
    #[test]
    fn there_is_no_proof_outside() {
        let error = Isolated::prove().expect_err("not in a namespace").to_string();
        assert!(error.starts_with("not in a network namespace of its own: "), "{error}");
    }
}
