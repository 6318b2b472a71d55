//! Data arrives for a socket that is closed.

use super::pair::Pair;
use smoltcp::time::Duration;

pub(crate) fn on_smoltcp() -> String {
    let mut pair = Pair::connected();
    let (client, server) = (pair.client, pair.server);
    pair.socket(server).close();
    pair.run(Duration::from_millis(100));
    let _ = pair.socket(client).send_slice(b"late");
    pair.run(Duration::from_millis(100));
    format!("the sender is in {}", pair.socket(client).state())
}
