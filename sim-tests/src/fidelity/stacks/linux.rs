//! What Linux does: the same programs between two sockets of the kernel.

use super::StackProgram;
use super::turmoil::{
    dropped_read_half, fin_at_capacity, finished_host, no_send_buffer, partition_stalls, read_after_reset,
    reset_overtakes, second_shutdown, write_after_reset, write_boundaries,
};
use crate::backend::{LinuxNetwork, PairNetwork};
use crate::tcp::TcpState;
use echo_core::Role;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

/// The latency of the network, in milliseconds.
const LATENCY: u64 = 5;
/// Limit for waiting for a state.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the program. Returns what it observes.
pub(super) async fn on_linux(program: &StackProgram, network: &LinuxNetwork) -> io::Result<String> {
    let (client, server, wire) = network.pair(LATENCY, 0, 0).await?;
    match program.name {
        "dropped_read_half" => {
            let (reader, writer) = server.into_split();
            both(dropped_read_half::server(reader, writer), dropped_read_half::client(client)).await
        }
        "finished_host" => both(finished_host::server(server), finished_host::client(client)).await,
        "write_boundaries" => both(write_boundaries::server(server), write_boundaries::client(client)).await,
        "fin_at_capacity" => both(fin_at_capacity::server(server), fin_at_capacity::client(client)).await,
        "no_send_buffer" => both(no_send_buffer::server(server), no_send_buffer::client(client)).await,
        "partition_stalls" => {
            let cut = |is_cut| wire.set_cut(is_cut);
            both(partition_stalls::server(server, cut), partition_stalls::client(client)).await
        }
        "read_after_reset" => both(read_after_reset::server(server), read_after_reset::client(client)).await,
        "reset_overtakes" => reset_overtakes(network).await,
        "second_shutdown" => both(second_shutdown::server(server), second_shutdown::client(client)).await,
        "write_after_reset" => both(write_after_reset::server(server), write_after_reset::client(client)).await,
        "close_with_unread" => close_with_unread(client, server, &wire).await,
        "fin_wait_2" => fin_wait_2(client, server, &wire).await,
        "first_retransmission" => first_retransmission(client, &wire).await,
        "late_data" => late_data(client, server, &wire).await,
        "retransmissions" => retransmissions(client, network, &wire).await,
        "syn_to_time_wait" => syn_to_time_wait(client, server, &wire).await,
        "time_wait" => time_wait(client, server, &wire).await,
        other => Err(io::Error::other(format!("no program {other}"))),
    }
}

/// Runs a server and a client. Returns what the client observes.
async fn both(
    server: impl Future<Output = io::Result<()>>,
    client: impl Future<Output = io::Result<String>>,
) -> io::Result<String> {
    let (served, observed) = tokio::join!(server, client);
    served?;
    observed
}

/// Waits until the socket of `side` is in another state than `old`. Returns its state then, or `old` after
/// [`PATIENCE`].
async fn leaves(wire: &PairNetwork, side: Role, old: TcpState) -> io::Result<TcpState> {
    let end = Instant::now() + PATIENCE;
    loop {
        let state = wire.states()?[side as usize];
        if state != old || Instant::now() > end {
            return Ok(state);
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the socket of `side` is in `state`.
async fn reaches(wire: &PairNetwork, side: Role, state: TcpState) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while wire.states()?[side as usize] != state {
        if Instant::now() > end {
            return Err(io::Error::other(format!("the {}'s socket is not in {state} within 5 s", side.name())));
        }
        sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

async fn reset_overtakes(network: &LinuxNetwork) -> io::Result<String> {
    let run = |network: LinuxNetwork| async move {
        let (client, server, _wire) = network.pair(LATENCY, 0, 0).await?;
        both(reset_overtakes::server(server), reset_overtakes::client(client)).await
    };
    let runs: Vec<_> = (0..reset_overtakes::RUNS).map(|_| spawn_local(run(network.clone()))).collect();
    let mut lost = 0;
    for got in runs {
        lost += u64::from(got.await?? != reset_overtakes::ANSWER);
    }
    Ok(reset_overtakes::report(lost))
}

async fn close_with_unread(mut client: TcpStream, server: TcpStream, wire: &PairNetwork) -> io::Result<String> {
    client.write_all(b"request").await?;
    server.peek(&mut [0]).await?;
    drop(server);
    Ok(format!("the peer is in {}", leaves(wire, Role::Client, TcpState::Established).await?))
}

async fn late_data(mut client: TcpStream, server: TcpStream, wire: &PairNetwork) -> io::Result<String> {
    drop(server);
    reaches(wire, Role::Client, TcpState::CloseWait).await?;
    client.write_all(b"late").await?;
    Ok(format!("the sender is in {}", leaves(wire, Role::Client, TcpState::CloseWait).await?))
}

async fn fin_wait_2(client: TcpStream, _server: TcpStream, wire: &PairNetwork) -> io::Result<String> {
    drop(client);
    reaches(wire, Role::Client, TcpState::FinWait2).await?;
    Ok(format!("it is removed after {} s", seconds(wire.timer(Role::Client)?)))
}

async fn time_wait(client: TcpStream, server: TcpStream, wire: &PairNetwork) -> io::Result<String> {
    drop(client);
    drop(server);
    let ends = async {
        loop {
            let states = wire.states()?;
            // The FINs cross, so either socket, or both, are in TIME-WAIT.
            if let Some(side) = Role::BOTH.into_iter().find(|side| states[*side as usize] == TcpState::TimeWait) {
                return io::Result::Ok(side);
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    let side = timeout(PATIENCE, ends).await??;
    Ok(format!("TIME-WAIT lasts {} s", seconds(wire.timer(side)?)))
}

/// Returns the whole seconds of a timer that was started a few milliseconds ago.
fn seconds(timer: Option<Duration>) -> u64 {
    timer.map_or(0, |timer| (timer + Duration::from_millis(500)).as_secs())
}

async fn first_retransmission(mut client: TcpStream, wire: &PairNetwork) -> io::Result<String> {
    wire.set_cut(true);
    client.write_all(b"data").await?;
    let due = wire.timer(Role::Client)?.unwrap_or_default();
    // The exact time depends on the measured round trips.
    let is_soon = !due.is_zero() && due < Duration::from_millis(300);
    Ok(if is_soon {
        "it comes after less than 300 ms".into()
    } else {
        format!("it comes after {} ms", due.as_millis())
    })
}

async fn retransmissions(mut client: TcpStream, network: &LinuxNetwork, wire: &PairNetwork) -> io::Result<String> {
    // By default 15, which takes about 15 minutes.
    network.set("ipv4/tcp_retries2", "3")?;
    wire.set_cut(true);
    client.write_all(b"data").await?;
    let error = timeout(Duration::from_secs(60), client.read(&mut [0])).await?.map_err(|error| error.kind());
    Ok(format!("the sender gives up after tcp_retries2 retransmissions: {error:?}"))
}

async fn syn_to_time_wait(mut client: TcpStream, server: TcpStream, wire: &PairNetwork) -> io::Result<String> {
    drop(server);
    client.read_to_end(&mut Vec::new()).await?;
    drop(client);
    reaches(wire, Role::Server, TcpState::TimeWait).await?;
    reaches(wire, Role::Client, TcpState::Closed).await?;
    let again = |address: std::net::SocketAddrV4| {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address.into())?;
        io::Result::Ok(socket)
    };
    let addresses = wire.addresses();
    let listener = again(addresses.server)?.listen(8)?;
    let connected = timeout(Duration::from_secs(2), again(addresses.client)?.connect(addresses.server.into())).await;
    let text = format!("2 s later the client is in {}", wire.states()?[Role::Client as usize]);
    drop((connected, listener));
    Ok(text)
}
