//! tarpc: calls with a deadline, as bincode over frames with their length.

use crate::patience::{in_time, within_patience};
use crate::question::{Question, random};
use futures_util::StreamExt;
use sim_tests::trial::{Role, Trial, TrialNotes, TrialRun, TrialStream};
use std::io;
use std::time::{Duration, Instant};
use tarpc::client::RpcError;
use tarpc::context::{self, Context};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::{Framed, LengthDelimitedCodec};
use tarpc::{ClientMessage, Response, serde_transport, trace};

/// The generated code has no documentation.
#[allow(missing_docs, unreachable_pub, clippy::unused_async)]
mod service {
    #[tarpc::service]
    pub trait Counter {
        async fn add(number: u64) -> u64;
    }
}

use service::{Counter, CounterClient, CounterRequest, CounterResponse};

/// The answer, or the error in words with whether it says that the connection was down before the call.
type Called = Result<u64, (String, bool)>;
type Served = Result<(), String>;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new("tarpc, a call", "Does the client ever get another answer than that to its call?", || {
            Trial::new(call, serve, right_answer).label(random).exit_on_return()
        }),
        Question::new(
            "tarpc, \"the connection to the server was already shutdown\"",
            "A call ends with this error: can it have run?",
            // Its text says "already"; its documentation says only that the client disconnected, and promises nothing.
            || Trial::new(call, serve, did_not_run).label(random).exit_on_return().only_surprises(),
        ),
    ]
}

async fn call(stream: TrialStream) -> Called {
    let frames = Framed::new(stream, LengthDelimitedCodec::new());
    let transport = serde_transport::new::<_, Response<CounterResponse>, ClientMessage<CounterRequest>, _>(
        frames,
        Bincode::default(),
    );
    let client = CounterClient::new(tarpc::client::Config::default(), transport).spawn();
    match in_time(client.add(context(), 41)).await {
        Ok(result) => result.map_err(|error| (error.to_string(), matches!(error, RpcError::Shutdown))),
        Err(late) => Err((late, false)),
    }
}

/// A context without random ids.
fn context() -> Context {
    let mut context = context::current();
    context.deadline = Instant::now() + Duration::from_secs(3);
    context.trace_context = trace::Context::default();
    context
}

async fn serve(stream: TrialStream) -> Served {
    within_patience(async {
        let notes = stream.notes();
        let frames = Framed::new(stream, LengthDelimitedCodec::new());
        let transport = serde_transport::new::<_, ClientMessage<CounterRequest>, Response<CounterResponse>, _>(
            frames,
            Bincode::default(),
        );
        let channel = BaseChannel::with_defaults(transport);
        channel.execute(Adder(notes).serve()).for_each_concurrent(None, |call| call).await;
        io::Result::Ok(())
    })
    .await
}

#[derive(Clone)]
struct Adder(TrialNotes);

impl Counter for Adder {
    async fn add(self, _: Context, number: u64) -> u64 {
        self.0.note("ran");
        number + 1
    }
}

fn right_answer(run: &TrialRun<Called, Served>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(answer)) if *answer != 42 => Err("another answer".to_owned()),
        _ => Ok(()),
    }
}

fn did_not_run(run: &TrialRun<Called, Served>) -> Result<(), String> {
    let ran = run.notes(Role::Server).next().is_some();
    match run.client.returned() {
        Some(Err((_, true))) if ran => Err("the call ran".to_owned()),
        _ => Ok(()),
    }
}
