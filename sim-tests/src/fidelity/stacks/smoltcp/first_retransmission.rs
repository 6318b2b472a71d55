//! The first retransmission on a network without latency.

use super::pair::Pair;
use smoltcp::time::Duration;

pub(crate) fn on_smoltcp() -> String {
    let mut pair = Pair::connected();
    let client = pair.client;
    pair.cut();
    let _ = pair.socket(client).send_slice(b"data");
    pair.run(Duration::from_millis(1));
    let due = pair.due().map(|due| due + Duration::from_millis(1));
    format!("it comes after {} ms", due.map_or(0, |due| due.total_millis()))
}
