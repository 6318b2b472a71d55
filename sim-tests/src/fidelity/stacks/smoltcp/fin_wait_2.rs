//! A closed socket in FIN-WAIT-2, whose peer never closes.

use super::pair::Pair;
use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;

/// After this time it is taken as endless, in seconds.
const LIMIT: u64 = 10_000;

pub(crate) fn on_smoltcp() -> String {
    let mut pair = Pair::connected();
    let client = pair.client;
    pair.socket(client).close();
    pair.run(Duration::from_millis(100));
    let begun = pair.now;
    while pair.socket(client).state() == State::FinWait2 && pair.now - begun < Duration::from_secs(LIMIT) {
        pair.run(Duration::from_secs(1));
    }
    match (pair.now - begun).secs() {
        LIMIT.. => format!("it stays for more than {LIMIT} s"),
        seconds => format!("it is removed after {seconds} s"),
    }
}
