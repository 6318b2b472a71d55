//! Listening sockets that the process was given at its start, by the protocol of systemd (sd_listen_fds(3)).

use listenfd::ListenFd;
use std::env;
use std::net::TcpListener;

/// Takes the sockets that the process was given, and removes the variables that announce them. It returns none if
/// `LISTEN_PID` is not this process, because then they are meant for another one.
///
/// Call it while there is one thread: it changes the environment.
///
/// # Errors
/// The number of sockets is invalid, or one of them is not a TCP socket that listens.
pub(crate) fn take_listeners() -> Result<Vec<TcpListener>, String> {
    if env::var("LISTEN_PID").ok() != Some(std::process::id().to_string()) {
        return Ok(Vec::new());
    }
    check_count()?;
    let mut given = ListenFd::from_env();
    (0..given.len()).filter_map(|index| take(&mut given, index).transpose()).collect()
}

/// `ListenFd` ignores a value that is no number, and allocates as much as the value says.
fn check_count() -> Result<(), String> {
    match env::var_os("LISTEN_FDS") {
        Some(count) if count.to_str().and_then(|count| count.parse::<u16>().ok()).is_none() => {
            Err(format!("LISTEN_FDS is {}: expected a number of sockets", count.display()))
        }
        _ => Ok(()),
    }
}

fn take(given: &mut ListenFd, index: usize) -> Result<Option<TcpListener>, String> {
    let failed = |reason: String| format!("cannot listen on the sockets of LISTEN_FDS: {reason}");
    let listener = given.take_tcp_listener(index).map_err(|error| failed(error.to_string()))?;
    #[cfg(target_os = "linux")]
    if let Some(listener) = &listener {
        check_listens(listener).map_err(failed)?;
    }
    Ok(listener)
}

/// A service of a socket unit with `Accept=yes` is given connections.
#[cfg(target_os = "linux")]
fn check_listens(listener: &TcpListener) -> Result<(), String> {
    let number = std::os::fd::AsRawFd::as_raw_fd(listener);
    match socket2::SockRef::from(listener).is_listener() {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("fd {number} is a TCP socket that does not listen")),
        Err(error) => Err(format!("fd {number}: {error}")),
    }
}
