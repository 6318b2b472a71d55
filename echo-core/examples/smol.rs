//! A server and a client on another runtime: smol.

use echo_core::{CloseReason, Config, Connection, Event, Outcome, Output, Stamp};
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{Shutdown, TcpListener, TcpStream};
use std::io;
use std::time::{Duration, Instant};

/// Runs a connection to its end. Every wait has a deadline, so a peer that is silent does not hold it for ever.
async fn run(mut connection: Connection, mut stream: TcpStream, mut on_event: impl FnMut(Event<'_>)) -> Outcome {
    let began = Instant::now();
    // Input that the connection does not take before it has written.
    let (mut input, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let due = connection.next_time();
        match connection.poll_output(began.elapsed()) {
            Output::Ended(outcome) => return outcome,
            Output::Transmit { header, payload } => {
                let bytes = if header.is_empty() { payload } else { header };
                match or(async { Some(stream.write(bytes).await) }, alarm(began, due)).await {
                    Some(Ok(count)) => connection.handle_sent(began.elapsed(), count),
                    Some(Err(_)) => connection.handle_write_failed(began.elapsed()),
                    None => connection.handle_time(began.elapsed()),
                }
            }
            Output::Fin => {
                // If it fails, the peer is gone, which the next read reports.
                let _ = stream.shutdown(Shutdown::Write);
                connection.handle_fin_sent(began.elapsed());
            }
            Output::Abort => connection.handle_fin_sent(began.elapsed()), // smol cannot send RST
            Output::Wait(_) => {
                if input.is_empty() {
                    match or(async { Some(stream.read(&mut buffer).await) }, alarm(began, due)).await {
                        Some(Ok(0)) => connection.handle_fin(began.elapsed()),
                        Some(Ok(count)) => input.extend_from_slice(&buffer[..count]),
                        Some(Err(_)) => connection.handle_reset(began.elapsed()),
                        None => connection.handle_time(began.elapsed()),
                    }
                }
                let mut rest = input.as_slice();
                while let Some(event) = connection.handle_input(began.elapsed(), &mut rest) {
                    on_event(event);
                }
                input = rest.to_vec();
            }
        }
    }
}

/// Returns `None` at the next deadline.
async fn alarm(began: Instant, due: Option<Duration>) -> Option<io::Result<usize>> {
    let Some(due) = due else { return smol::future::pending().await };
    Timer::at(began + due).await;
    None
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = smol::spawn(async move {
            let connection = Connection::server(Config::default(), Stamp(0));
            Ok::<_, io::Error>(run(connection, listener.accept().await?.0, |_| ()).await)
        });
        let mut client = Connection::client(Config::default(), Stamp(0));
        client.send(Duration::ZERO, b"hello")?;
        client.leave(Duration::ZERO, CloseReason::normal());
        let outcome = run(client, TcpStream::connect(address).await?, |event| {
            let Event::Reply(reply) = event else { return };
            println!("{} in {} ns", String::from_utf8_lossy(reply.payload), reply.stamps.delay());
        });
        println!("client: {}\nserver: {}", outcome.await, server.await?);
        Ok(())
    })
}
