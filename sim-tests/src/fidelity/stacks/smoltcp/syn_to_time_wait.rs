//! A client connects again from the port of a connection that has ended, whose server is in TIME-WAIT.

use super::pair::Pair;
use smoltcp::time::Duration;

pub(crate) fn on_smoltcp() -> String {
    let mut pair = Pair::connected();
    let (client, server) = (pair.client, pair.server);
    pair.socket(server).close();
    pair.run(Duration::from_millis(100));
    pair.socket(client).close();
    pair.run(Duration::from_millis(100));
    let listener = pair.add();
    pair.listen(listener);
    pair.connect(client);
    pair.run(Duration::from_secs(2));
    format!("2 s later the client is in {}", pair.socket(client).state())
}
