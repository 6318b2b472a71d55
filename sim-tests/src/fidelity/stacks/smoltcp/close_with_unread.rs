//! A socket is closed with unread input.

use super::pair::Pair;
use smoltcp::time::Duration;

pub(crate) fn on_smoltcp() -> String {
    let mut pair = Pair::connected();
    let (client, server) = (pair.client, pair.server);
    let _ = pair.socket(client).send_slice(b"request");
    pair.run(Duration::from_millis(100));
    pair.socket(server).close();
    pair.run(Duration::from_millis(100));
    format!("the peer is in {}", pair.socket(client).state())
}
