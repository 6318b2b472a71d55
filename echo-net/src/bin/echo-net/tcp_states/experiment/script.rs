//! The steps of each plan, with the states that TCP has after each of them, and what they mean.

use super::moment::Rows;
use super::pair::Received;
use super::plan::{First, How, Peer, Plan, Side};
use super::stage::Stage;
use tcp_states::TcpState::{CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};

type Done = Result<(), String>;

/// Carries out a plan, from the connection to the end.
///
/// # Errors
/// One line: a step failed, or the kernel shows other states than TCP has then.
pub(crate) fn perform(plan: Plan, stage: &mut Stage<'_>) -> Done {
    stage.pair.exchange().map_err(failed)?;
    let connected = "the client connects, sends a message and reads the answer";
    stage.moment(connected, [(Side::Client, Established), (Side::Server, Established)], |_| {
        "Both directions are open, and all bytes are acknowledged and read.".to_owned()
    })?;
    let first = match plan.first {
        First::Client => Side::Client,
        First::Server => Side::Server,
        First::Both => return both(plan, stage),
    };
    let script = Script { first, peer: first.peer(), does: plan.peer };
    match plan.how {
        How::Close => script.close(stage),
        How::Drop => script.drop(stage),
        How::Abort => script.abort(stage),
        How::Half => script.half(stage),
    }
}

/// One side ends first.
#[derive(Clone, Copy)]
struct Script {
    first: Side,
    peer: Side,
    does: Peer,
}

impl Script {
    fn close(self, stage: &mut Stage<'_>) -> Done {
        let Self { first, peer, does } = self;
        if does == Peer::Slow {
            self.fill(stage)?;
            stage.pair.shutdown(first).map_err(failed)?;
            let action = format!("the {first} shuts down");
            stage.moment(action, [(first, FinWait1), (peer, Established)], |rows| self.fin_behind_data(rows))?;
            let read = read_all(stage, peer)?;
            let action = format!("the {peer} reads {} bytes, to the end of the stream", read.bytes);
            stage.moment(action, [(first, FinWait2), (peer, CloseWait)], |_| {
                format!(
                    "Now the data is gone from the send queue, and FIN went after it: the {peer}'s kernel has \
                     acknowledged it. Nothing was lost by waiting."
                )
            })?;
        } else {
            stage.pair.shutdown(first).map_err(failed)?;
            let action = format!("the {first} shuts down: its kernel sends FIN");
            stage.moment(action, [(first, FinWait2), (peer, CloseWait)], |_| {
                format!(
                    "The {peer}'s kernel has acknowledged FIN, without its program, which has not read the end (the 1 \
                     in its recv-q). The {first} has sent everything, and waits for the {peer}'s FIN."
                )
            })?;
        }
        if does == Peer::Ignores {
            std::thread::sleep(std::time::Duration::from_secs(1));
            let action = format!("a second later the {peer} has still not closed");
            return stage.moment(action, [(first, FinWait2), (peer, CloseWait)], |_| {
                format!(
                    "No timer runs at either end. The {first} stays in FIN-WAIT-2 as long as its program keeps the \
                     socket, and the {peer} in CLOSE-WAIT until its program closes: a CLOSE-WAIT that stays is a bug \
                     in the program that holds it."
                )
            });
        }
        self.last_fin(stage, true)
    }

    fn drop(self, stage: &mut Stage<'_>) -> Done {
        let Self { first, peer, does } = self;
        if does == Peer::Slow {
            self.fill(stage)?;
            stage.pair.close(first);
            let action = format!("the {first} closes its socket, as at the end of a program");
            stage.moment(action, [(first, FinWait1), (peer, Established)], |rows| {
                format!(
                    "{} No process holds the {first}'s socket any more, and its kernel goes on delivering. If the \
                     {peer} does not read for some minutes, the kernel gives up, and the data is lost.",
                    self.fin_behind_data(rows)
                )
            })?;
            let read = read_all(stage, peer)?;
            let action = format!("the {peer} reads {} bytes, to the end of the stream", read.bytes);
            stage.moment(action, [(first, FinWait2), (peer, CloseWait)], |rows| {
                format!("close is no abort: every byte arrived. {}", self.gives_up(rows))
            })?;
        } else {
            stage.pair.close(first);
            let action = format!("the {first} closes its socket, as at the end of a program");
            stage.moment(action, [(first, FinWait2), (peer, CloseWait)], |rows| self.gives_up(rows))?;
        }
        if does == Peer::Ignores {
            stage.reset();
            stage.pair.send(peer).map_err(failed)?;
            let action = format!("the {peer}, which has noticed nothing, sends a message");
            return stage.moment(action, [(first, Closed), (peer, Closed)], |_| {
                format!(
                    "The write was a success, and the message is lost: nobody can read it at the {first}, so its kernel \
                     answered with RST, and both sockets are gone. The {peer} learns it by its next call."
                )
            });
        }
        self.last_fin(stage, false)
    }

    fn abort(self, stage: &mut Stage<'_>) -> Done {
        let Self { first, peer, does } = self;
        let written = if does == Peer::Slow { Some(self.fill(stage)?) } else { None };
        stage.reset();
        stage.pair.abort(first).map_err(failed)?;
        let action = format!("the {first} closes with linger time zero: its kernel sends RST");
        stage.moment(action, [(first, Closed), (peer, Closed)], |_| {
            format!(
                "Both kernels have forgotten the connection, and there is no TIME-WAIT. The {peer}'s program still \
                 holds a socket, and learns of RST by its next call."
            )
        })?;
        if does == Peer::Ignores {
            return Ok(());
        }
        let read = stage.pair.read_to_end(peer).map_err(failed)?;
        let error = read.error.map_or_else(|| "the end of the stream".to_owned(), |error| error.to_string());
        let action = format!("the {peer} reads {} bytes, and then: {error}", read.bytes);
        stage.moment(action, [(first, Closed), (peer, Closed)], |_| match written {
            Some(written) => format!(
                "Of {written} bytes {} were in the {first}'s send queue, and RST has deleted them. What the {peer}'s \
                 kernel had taken could still be read.",
                written.saturating_sub(read.bytes)
            ),
            None => "An abort is no end of a stream: whoever reads it gets an error.".to_owned(),
        })
    }

    fn half(self, stage: &mut Stage<'_>) -> Done {
        let Self { first, peer, does } = self;
        stage.pair.shutdown(first).map_err(failed)?;
        let action = format!("the {first} shuts down, and goes on reading");
        stage.moment(action, [(first, FinWait2), (peer, CloseWait)], |_| {
            format!(
                "The conversation is half closed: the {first} can send no more, the {peer} can. These two states are \
                 no fault as long as something is sent."
            )
        })?;
        if does == Peer::Slow {
            return self.late_reader(stage);
        }
        stage.pair.send(peer).map_err(failed)?;
        stage.pair.receive(first).map_err(failed)?;
        let action = format!("the {peer} sends an answer, and the {first} reads it");
        stage.moment(action, [(first, FinWait2), (peer, CloseWait)], |_| match does {
            Peer::Ignores => format!(
                "The answer arrived, and the {peer} does not close: now both wait for nothing. From outside this looks \
                 like the moment before; only the time since the last byte tells."
            ),
            Peer::Closes | Peer::Slow => format!("Data went from CLOSE-WAIT to FIN-WAIT-2: the {peer} was not done."),
        })?;
        if does == Peer::Ignores { Ok(()) } else { self.last_fin(stage, true) }
    }

    /// The peer sends more than the first side's buffers take, and closes. So its FIN waits behind data.
    fn late_reader(self, stage: &mut Stage<'_>) -> Done {
        let Self { first, peer, .. } = self;
        let written = stage.pair.fill(peer).map_err(failed)?;
        stage.pair.close(peer);
        let action = format!("the {peer} sends an answer of {written} bytes and closes; the {first} does not read");
        stage.moment(action, [(first, FinWait2), (peer, LastAck)], |rows| {
            format!(
                "The {peer}'s program is done, and its kernel waits for the last acknowledgment: {} bytes and FIN are \
                 still in its send queue, because the {first} does not read. No process holds this socket.",
                rows.of(peer).send_queue.saturating_sub(1)
            )
        })?;
        let read = read_all(stage, first)?;
        stage.pair.close(first);
        let action = format!("the {first} reads {} bytes, to the end of the stream, and closes", read.bytes);
        stage.moment(action, [(first, TimeWait), (peer, Closed)], |rows| time_wait(rows, first))
    }

    /// The peer reads the end of the stream, and closes.
    fn last_fin(self, stage: &mut Stage<'_>, holds: bool) -> Done {
        let Self { first, peer, .. } = self;
        read_all(stage, peer)?;
        stage.pair.close(peer);
        let mut action = format!("the {peer} reads the end of the stream and closes: its kernel sends FIN");
        if holds {
            read_all(stage, first)?;
            stage.pair.close(first);
            action.push_str(&format!("; the {first} reads it and closes"));
        }
        stage.moment(action, [(first, TimeWait), (peer, Closed)], |rows| {
            format!(
                "The {peer} was in LAST-ACK until its FIN was acknowledged, some microseconds. {}",
                time_wait(rows, first)
            )
        })
    }

    fn fill(self, stage: &mut Stage<'_>) -> Result<usize, String> {
        let Self { first, peer, .. } = self;
        let written = stage.pair.fill(first).map_err(failed)?;
        let action = format!("the {first} writes {written} bytes, and the {peer} does not read");
        stage.moment(action, [(first, Established), (peer, Established)], |rows| {
            format!(
                "The {peer}'s kernel has taken {} bytes, and its window is closed. The rest is in the {first}'s send \
                 queue, although every write was a success.",
                rows.of(peer).recv_queue
            )
        })?;
        Ok(written)
    }

    fn fin_behind_data(self, rows: &Rows) -> String {
        let Self { first, peer, .. } = self;
        let waiting = rows.of(first).send_queue.saturating_sub(1);
        format!(
            "FIN is queued behind {waiting} bytes that the {peer}'s kernel does not take, so the {peer} knows nothing of \
             it."
        )
    }

    fn gives_up(self, rows: &Rows) -> String {
        let Self { first, peer, .. } = self;
        format!(
            "No process holds the {first}'s socket: it is an orphan, and its kernel gives up in {} s. The {peer} is in \
             CLOSE-WAIT until its program closes, and a program that waits for a user notices nothing.",
            rows.of(first).seconds_left()
        )
    }
}

/// Both sides end, one right after the other.
fn both(plan: Plan, stage: &mut Stage<'_>) -> Done {
    let (client, server) = (Side::Client, Side::Server);
    if plan.how == How::Abort {
        stage.reset();
        stage.pair.abort(client).map_err(failed)?;
        stage.pair.abort(server).map_err(failed)?;
        let action = "both close with linger time zero";
        return stage.moment(action, [(client, Closed), (server, Closed)], |_| {
            "The client's RST has ended both sockets, so the server's kernel had nothing left to send RST for."
                .to_owned()
        });
    }
    if plan.peer == Peer::Slow {
        return crossing(plan, stage);
    }
    let end = |stage: &mut Stage<'_>, side| match plan.how {
        How::Drop => {
            stage.pair.close(side);
            Ok(())
        }
        How::Close | How::Half | How::Abort => stage.pair.shutdown(side).map_err(failed),
    };
    end(stage, client)?;
    // A FIN takes some microseconds on loopback, and on a busy machine longer.
    stage.wait_for([(client, FinWait2), (server, CloseWait)])?;
    end(stage, server)?;
    let call = if plan.how == How::Drop { "close their sockets" } else { "shut down" };
    if plan.peer == Peer::Closes && plan.how == How::Close {
        for side in Side::BOTH {
            read_all(stage, side)?;
            stage.pair.close(side);
        }
    }
    stage.moment(format!("both {call}, the client a moment earlier"), [(client, TimeWait), (server, Closed)], |rows| {
        format!(
            "The client's FIN arrived before the server's call, so the server's FIN was an answer. Once both FINs are \
             sent, it does not matter what the programs do. {} With --peer slow neither FIN arrives before the other side has closed, too.",
            time_wait(rows, client)
        )
    })
}

/// Both FINs wait behind data, so both sides have closed before either arrives.
fn crossing(plan: Plan, stage: &mut Stage<'_>) -> Done {
    let (client, server) = (Side::Client, Side::Server);
    let written = [client, server].map(|side| stage.pair.fill(side).map_err(failed));
    let [from_client, from_server] = written;
    let action = format!("the client writes {} bytes and the server {}; neither reads", from_client?, from_server?);
    stage.moment(action, [(client, Established), (server, Established)], |_| {
        "Both windows are closed, and both send queues are full. Two programs that write everything before they read stay \
         like this for ever."
            .to_owned()
    })?;
    if plan.how == How::Drop {
        stage.reset();
        stage.pair.close(client);
        return stage.moment("the client closes its socket", [(client, Closed), (server, Closed)], |_| {
            "The client has not read what it received, so its kernel sent RST instead of FIN (RFC 1122 4.2.2.13): what \
             was in its send queue is deleted, and both sockets are gone. A close with unread input loses data."
                .to_owned()
        });
    }
    for side in Side::BOTH {
        stage.pair.shutdown(side).map_err(failed)?;
    }
    stage.moment("both shut down", [(client, FinWait1), (server, FinWait1)], |_| {
        "Each FIN is queued behind data that the other side does not read.".to_owned()
    })?;
    let read = read_all(stage, client)?;
    let action = format!("the client reads {} bytes, to the end of the stream", read.bytes);
    stage.moment(action, [(client, Closing), (server, FinWait2)], |rows| {
        format!(
            "The server's FIN has arrived while the client's own is not acknowledged, nor even sent: both have closed at \
             the same time. \
             {} bytes and FIN are still in the client's send queue.",
            rows.of(client).send_queue.saturating_sub(1)
        )
    })?;
    let read = read_all(stage, server)?;
    for side in Side::BOTH {
        stage.pair.close(side);
    }
    let action = format!("the server reads {} bytes, to the end of the stream", read.bytes);
    stage.moment(action, [(client, TimeWait), (server, TimeWait)], |rows| {
        format!("After a simultaneous close both sides are in TIME-WAIT. {}", time_wait(rows, client))
    })
}

/// Reads to the end of the stream, which must come.
fn read_all(stage: &mut Stage<'_>, side: Side) -> Result<Received, String> {
    let received = stage.pair.read_to_end(side).map_err(failed)?;
    match &received.error {
        Some(error) => Err(format!("the {side} cannot read to the end: {error}")),
        None => Ok(received),
    }
}

fn time_wait(rows: &Rows, side: Side) -> String {
    format!(
        "The {side} waits in TIME-WAIT, {} s from now, in case its last acknowledgment is lost or old segments arrive. \
         This is normal, costs no process anything, and is where the side that closes first pays.",
        rows.of(side).seconds_left()
    )
}

fn failed(error: std::io::Error) -> String {
    format!("a step of the experiment failed: {error}")
}
