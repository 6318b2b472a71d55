//! redis: a multiplexed connection, and a server of a few lines that notes each command that it runs.

mod server;

use self::server::serve;
use crate::patience::in_time;
use crate::question::Question;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError, RetryMethod};
use sim_tests::trial::{Role, Trial, TrialRun, TrialStream};
use std::time::Duration;

/// What a command returned: its value, or the error in words with what it says about trying again.
type Talked = Result<Vec<i64>, Refused>;
type Served = Result<(), String>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    error: String,
    /// Whether the error says that the command can be tried again, on this connection or on a new one.
    try_again: bool,
}

const PIPELINED: usize = 3;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "redis, a pipeline",
            "Three INCR at once: does the client ever take a part of the answers for all?",
            || Trial::new(pipeline, serve, all_answers).exit_on_return(),
        ),
        Question::new(
            "redis, INCR, `retry_method` of its error",
            "The error names a way to try again: is it ever that of a command that has run?",
            // The documentation says "if retrying", and leaves to the caller whether it may.
            || Trial::new(increment, serve, did_not_run).exit_on_return().only_surprises(),
        ),
    ]
}

async fn increment(stream: TrialStream) -> Talked {
    connected(stream, async |connection| redis::cmd("INCR").arg("n").query_async(connection).await.map(|n| vec![n]))
        .await
}

async fn pipeline(stream: TrialStream) -> Talked {
    connected(stream, async |connection| {
        let mut pipe = redis::pipe();
        for _ in 0..PIPELINED {
            pipe.incr("n", 1);
        }
        pipe.query_async(connection).await
    })
    .await
}

async fn connected(
    stream: TrialStream,
    talk: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<Vec<i64>, RedisError>,
) -> Talked {
    let talk = async {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(2)));
        let info = RedisConnectionInfo::default();
        let (mut connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
        tokio::spawn(driver);
        let result = talk(&mut connection).await;
        let _ = connection.get_db();
        result
    };
    match in_time(talk).await {
        Ok(result) => result.map_err(|error| Refused {
            try_again: !matches!(error.retry_method(), RetryMethod::NoRetry),
            error: error.to_string(),
        }),
        Err(error) => Err(Refused { error, try_again: false }),
    }
}

fn all_answers(run: &TrialRun<Talked, Served>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(answers)) if *answers != [1, 2, 3] => Err("a part of the answers passes for all".to_owned()),
        _ => Ok(()),
    }
}

fn did_not_run(run: &TrialRun<Talked, Served>) -> Result<(), String> {
    let ran = run.notes(Role::Server).any(|note| note == "INCR");
    match run.client.returned() {
        Some(Err(refused)) if refused.try_again && ran => {
            Err("the error names a way to try again, and INCR has run".to_owned())
        }
        _ => Ok(()),
    }
}
