//! A relay between two connections of the kernel: a program that copies, as those that were measured do.

use crate::network::relay::Relay;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Copies both directions until both have ended, and turns every end into FIN.
pub(super) async fn relay(kind: Relay, mut client: TcpStream, mut server: TcpStream) {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let mut up = std::pin::pin!(copy(from_client, to_server));
    let mut down = std::pin::pin!(copy(from_server, to_client));
    let (is_up, is_whole) = tokio::select! { biased;
        is_whole = &mut up => (true, is_whole),
        is_whole = &mut down => (false, is_whole),
    };
    if !is_whole {
        // After a RST, both connections are closed at once.
        return;
    }
    let rest = async { if is_up { down.await } else { up.await } };
    match kind {
        Relay::PassesHalfClose => {
            rest.await;
        }
        Relay::ClosesBoth => (),
        Relay::CutsOff(span) => tokio::select! { biased;
            _ = rest => (),
            () = sleep(Duration::from_millis(span)) => (),
        },
    }
}

/// Copies until the end or a RST, and then sends FIN. Returns whether it was the end.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> bool {
    let mut buffer = vec![0; 16 << 10];
    let copied = async {
        loop {
            match from.read(&mut buffer).await? {
                0 => return io::Result::Ok(()),
                count => to.write_all(&buffer[..count]).await?,
            }
        }
    };
    let is_whole = copied.await.is_ok();
    // However a direction ends, the other side sees FIN. If it is gone, it does not matter.
    let _ = to.shutdown().await;
    is_whole
}
