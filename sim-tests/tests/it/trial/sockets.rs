//! The sockets of a trial, compared with those of this machine's kernel: the same programs have the same results.

use sim_tests::trial::{Trial, TrialEnding, TrialNetwork, TrialStream};
use std::fmt::Debug;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The results of one end, call by call.
type Seen = Vec<String>;

/// A step of an end.
#[derive(Clone, Copy, Debug)]
enum Step {
    Read(usize),
    Write(usize),
    ShutDown,
    /// Waits until the peer has done its steps so far.
    Wait,
    Close,
}
use Step::{Close, Read, ShutDown, Wait, Write};

/// Length of [`Step::Wait`], longer than the peer needs.
const WAIT: Duration = Duration::from_millis(60);

async fn follow(stream: impl AsyncRead + AsyncWrite + Unpin, steps: &[Step]) -> Seen {
    let mut stream = Some(stream);
    let mut seen = Seen::new();
    for step in steps {
        let Some(open) = &mut stream else { break };
        match step {
            Read(most) => seen.push(show("read", open.read(&mut vec![0; *most]).await)),
            Write(count) => seen.push(show("write", open.write(&vec![0; *count]).await)),
            ShutDown => seen.push(show("shutdown", open.shutdown().await)),
            Wait => sleep(WAIT).await,
            Close => stream = None,
        }
    }
    seen
}

fn show(call: &str, result: io::Result<impl Debug>) -> String {
    match result {
        Ok(value) => format!("{call} {value:?}"),
        Err(error) => format!("{call} {}", error.kind()),
    }
}

/// Each case: its name, the client's steps, the server's steps.
const CASES: [(&str, &[Step], &[Step]); 9] = [
    ("a plain end", &[Write(3), Read(9), Read(9), Close], &[Read(9), Write(5), Close]),
    ("the end is read again and again", &[Wait, Read(1), Read(1), Close], &[Close]),
    ("half-closed, it reads on", &[ShutDown, Write(1), ShutDown, Read(9), Close], &[Wait, Read(1), Write(5), Close]),
    (
        "closed with unread input: first what came, then the error, once",
        &[Write(3), Wait, Read(9), Read(9), Read(9), Write(1), Close],
        &[Write(5), Wait, Close],
    ),
    (
        "the error goes to the first call, also to a write",
        &[Write(3), Wait, Wait, Write(1), Write(1), Read(9), Close],
        &[Wait, Close],
    ),
    (
        "data for a closed socket: the first write is taken, the second is not",
        &[Wait, Write(1), Wait, Write(1), Read(1), Read(1), Close],
        &[Close],
    ),
    (
        "what came before the end can be read after a RST",
        &[Wait, Write(1), Wait, Read(9), Read(9), Write(1), Close],
        &[Write(5), Close],
    ),
    ("a shutdown after a RST is no error", &[Write(3), Wait, Wait, ShutDown, Read(1), Read(1), Close], &[Wait, Close]),
    ("a RST after one's own FIN", &[Write(3), ShutDown, Wait, Wait, Read(1), Read(1), Close], &[Wait, Close]),
];

fn in_a_trial(client: &'static [Step], server: &'static [Step]) -> (Seen, Seen) {
    let play = |steps: &'static [Step]| move |stream: TrialStream| follow(stream, steps);
    let trial = Trial::new(play(client), play(server), |_| Ok(())).networks(&[TrialNetwork::CLEAR]);
    match trial.replay("undisturbed/clear").map(|run| (run.client, run.server)) {
        Ok((TrialEnding::Returned(client), TrialEnding::Returned(server))) => (client, server),
        other => panic!("both return: {other:?}"),
    }
}

/// Runs one case over loopback. All cases run in one runtime, so that they wait at the same time.
async fn in_the_kernel(client: &'static [Step], server: &'static [Step]) -> (Seen, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let connect = async { TcpStream::connect(address).await.expect("a listener") };
    let accept = async { listener.accept().await.expect("a client").0 };
    let (one, other) = tokio::join!(connect, accept);
    tokio::join!(follow(one, client), follow(other, server))
}

#[test]
fn the_sockets_of_a_trial_are_those_of_linux() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let real: Vec<_> = runtime.block_on(async {
        let runs = CASES.map(|(_, client, server)| tokio::spawn(in_the_kernel(client, server)));
        let mut all = Vec::new();
        for run in runs {
            all.push(run.await.expect("no panic"));
        }
        all
    });
    for ((name, client, server), real) in CASES.into_iter().zip(real) {
        assert_eq!(in_a_trial(client, server), real, "{name}: in a trial (left), in the kernel (right)");
    }
}
