//! Accepts, and never closes. Prints its port.

use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let mut connections = Vec::new();
    loop {
        connections.push(listener.accept()?);
    }
}
