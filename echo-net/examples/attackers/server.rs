//! The attacked server, with its defaults. It has its own process, so that its costs can be measured alone.

use crate::Failure;
use echo_net::{Echo, ServerConfig, listen_tcp, return_free_memory, serve};
use std::io::{Read, Write};

/// The first argument of such a process.
pub(crate) const COMMAND: &str = "serve-until-input-ends";

/// Serves until standard input ends.
#[tokio::main]
pub(crate) async fn run() -> Result<(), Failure> {
    return_free_memory();
    let listener = listen_tcp("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let (ended, input_ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(ended);
    });
    let report = serve(listener, Echo, ServerConfig::default(), async { drop(input_ended.await) }).await;
    println!("{report}");
    Ok(())
}
