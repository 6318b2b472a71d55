//! Data that is never acknowledged.

use super::pair::Pair;
use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;

pub(crate) fn on_smoltcp() -> String {
    let mut pair = Pair::connected();
    let client = pair.client;
    pair.cut();
    let _ = pair.socket(client).send_slice(b"data");
    // Linux gives up after tcp_retries2 retransmissions, which is after about 15 minutes.
    pair.run(Duration::from_secs(36_000));
    match pair.socket(client).state() {
        State::Established => "the connection is there after ten hours".to_owned(),
        state => format!("the sender gives up: {state}"),
    }
}
