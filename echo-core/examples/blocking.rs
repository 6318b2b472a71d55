//! A server and a client on blocking sockets of the standard library, a thread for each end.

use echo_core::{CloseReason, Config, Connection, Event, Outcome, Output, Stamp};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Runs a connection to its end. Every wait has a deadline, so a peer that is silent does not block it for ever.
fn run(mut connection: Connection, mut stream: TcpStream, mut on_event: impl FnMut(Event<'_>)) -> Outcome {
    let began = Instant::now();
    // Input that the connection does not take before it has written.
    let mut input = Vec::new();
    loop {
        let limit = connection.next_time().map(|due| due.saturating_sub(began.elapsed()).max(Duration::from_millis(1)));
        // These fail only for a length of zero.
        let _ = (stream.set_read_timeout(limit), stream.set_write_timeout(limit));
        match connection.poll_output(began.elapsed()) {
            Output::Ended(outcome) => return outcome,
            Output::Transmit { header, payload } => {
                match stream.write(if header.is_empty() { payload } else { header }) {
                    Ok(count) => connection.handle_sent(began.elapsed(), count),
                    Err(error) if is_late(&error) => connection.handle_time(began.elapsed()),
                    Err(_) => connection.handle_write_failed(began.elapsed()),
                }
            }
            Output::Fin => {
                // If it fails, the peer is gone, which the next read reports.
                let _ = stream.shutdown(Shutdown::Write);
                connection.handle_fin_sent(began.elapsed());
            }
            Output::Abort => connection.handle_fin_sent(began.elapsed()), // RST is not in the standard library yet
            Output::Wait(_) => {
                if input.is_empty() {
                    let mut buffer = [0; 16 * 1024];
                    match stream.read(&mut buffer) {
                        Ok(0) => connection.handle_fin(began.elapsed()),
                        Ok(count) => input.extend_from_slice(&buffer[..count]),
                        Err(error) if is_late(&error) => connection.handle_time(began.elapsed()),
                        Err(_) => connection.handle_reset(began.elapsed()),
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

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn wall() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        Ok::<_, std::io::Error>(run(Connection::server(Config::default(), wall()), stream, |_| ()))
    });
    let mut client = Connection::client(Config::default(), wall());
    client.send(Duration::ZERO, b"hello")?;
    client.leave(Duration::ZERO, CloseReason::normal());
    let outcome = run(client, TcpStream::connect(address)?, |event| {
        if let Event::Reply(reply) = event {
            println!("{} in {} ns", String::from_utf8_lossy(reply.payload), reply.stamps.delay());
        }
    });
    println!("client: {outcome}\nserver: {}", server.join().expect("no panic")?);
    Ok(())
}
