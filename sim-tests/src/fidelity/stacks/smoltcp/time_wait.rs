//! How long TIME-WAIT lasts.

use super::pair::Pair;
use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;

pub(crate) fn on_smoltcp() -> String {
    let mut pair = Pair::connected();
    let (client, server) = (pair.client, pair.server);
    pair.socket(client).close();
    pair.socket(server).close();
    pair.run(Duration::from_millis(100));
    let begun = pair.now;
    while pair.socket(client).state() == State::TimeWait && pair.now - begun < Duration::from_secs(300) {
        pair.run(Duration::from_secs(1));
    }
    format!("TIME-WAIT lasts {} s", (pair.now - begun).secs())
}
