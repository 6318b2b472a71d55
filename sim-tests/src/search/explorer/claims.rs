//! Checks what two ends report against what really happened. This is done in every state, not only in the last: a
//! verdict stands once it is reached, and must stay true.

use super::end::{End, Place};
use super::rules::{ExplorerBreach, ExplorerRule, ensure};
use echo_core::{End as Verdict, Fate};

pub(super) fn check(client: &End, server: &End) -> Result<(), ExplorerBreach> {
    for end in [client, server] {
        proof(end, client, server)?;
        account(end, client, server)?;
    }
    // The server's CLOSE, with any code, promises that no request above its count runs.
    let above = server.sent.close.is_none_or(|(last, _)| server.ran <= last);
    ensure(above, ExplorerRule::Counts, || format!("{} requests ran, more than the server's CLOSE counts", server.ran))
}

fn proof(end: &End, client: &End, server: &End) -> Result<(), ExplorerBreach> {
    match (end.connection.machine().verdict(), &end.place) {
        (_, Place::Gone) | (None, _) => Ok(()),
        (Some(Verdict::Violation(violation)), _) => {
            let text = || format!("between two correct peers, at the {}: {violation}", end.role.name());
            ensure(false, ExplorerRule::Violation, text)
        }
        (Some(Verdict::Clean(_)), _) => clean(end, client, server),
        (Some(Verdict::Unproven | Verdict::Failed { .. } | Verdict::Truncated), _) => Ok(()),
        (Some(Verdict::Reset | Verdict::TimedOut(_) | Verdict::UnexpectedEof), _) => Ok(()),
    }
}

/// Checks a clean end (PROTOCOL.md, clause 5.3).
fn clean(end: &End, client: &End, server: &End) -> Result<(), ExplorerBreach> {
    let who = end.role.name();
    let close = end.got.close.filter(|(_, code, _)| code.is_clean());
    ensure(close.is_some(), ExplorerRule::FinIsNoProof, || format!("the {who} is clean without the peer's CLOSE"))?;
    let rule = match end.role {
        echo_core::Role::Client => ExplorerRule::ClientsProof,
        echo_core::Role::Server => ExplorerRule::ServersProof,
    };
    let (ran, held) = (server.ran, client.held);
    let all = ran == held && close.is_some_and(|(last, ..)| last == held);
    ensure(all, rule, || format!("the {who} is clean; {ran} requests ran, but the client holds {held} answers"))
}

/// Checks the account of an end (PROTOCOL.md, clauses 7.2 and 7.3): no request has a better fate than what happened.
/// Fates belong to the client's requests; those that the server has not received do not count.
fn account(end: &End, client: &End, server: &End) -> Result<(), ExplorerBreach> {
    if end.place == Place::Gone {
        return Ok(());
    }
    let account = end.connection.machine().account();
    let (mut answered, mut refused) = (0, 0);
    for seq in 1..=account.asked {
        let holds = match account.fate(seq) {
            Fate::Answered => {
                answered += 1;
                seq <= client.held
            }
            Fate::Refused => {
                refused += 1;
                // On the plain wire a server may run pieces of one line as two requests (clause 2.1), so its numbers
                // differ from the client's. There it matters whether a byte of the line has left, which `check_alone`
                // checks.
                let pieces = end.role == echo_core::Role::Client && end.connection.is_plain() == Some(true);
                seq > server.ran || pieces
            }
            Fate::Unknown => true,
        };
        ensure(holds, ExplorerRule::Account, || {
            let (ran, held) = (server.ran, client.held);
            format!(
                "the {} counts request {seq} as {:?}; {ran} requests ran, and the client holds {held} answers",
                end.role.name(),
                account.fate(seq)
            )
        })?;
    }
    let tally = account.tally();
    let sums = (tally.answered, tally.refused) == (answered, refused)
        && tally.answered + tally.refused + tally.unknown == account.asked;
    ensure(sums, ExplorerRule::Account, || format!("the {}'s sums are wrong: {tally}", end.role.name()))
}

/// Checks what must be true of one end, whatever its peer does.
pub(super) fn check_alone(end: &End) -> Result<(), ExplorerBreach> {
    let who = end.role.name();
    let machine = end.connection.machine();
    let close = end.got.close;
    if let Some(Verdict::Clean(_)) = machine.verdict() {
        let clean_close = close.is_some_and(|(_, code, _)| code.is_clean());
        ensure(clean_close, ExplorerRule::FinIsNoProof, || format!("the {who} is clean without the peer's CLOSE"))?;
        ensure(!end.got.after_close, ExplorerRule::Violation, || {
            format!("the {who} is clean, but received input after the peer's CLOSE")
        })?;
        let (last, _, in_time) = close.unwrap_or((0, echo_core::CloseCode::NORMAL, false));
        match end.role {
            echo_core::Role::Client => ensure(last == end.held, ExplorerRule::ClientsProof, || {
                format!("the client is clean after CLOSE {last}, but holds {} answers", end.held)
            })?,
            echo_core::Role::Server => ensure(last == end.ran && in_time, ExplorerRule::ServersProof, || {
                format!(
                    "the server is clean after CLOSE {last}; {} requests ran; its own CLOSE was sent before: {in_time}",
                    end.ran
                )
            })?,
        }
    }
    let account = machine.account();
    for seq in 1..=account.asked {
        let above = close.is_some_and(|(last, ..)| seq > last);
        let holds = match (account.fate(seq), end.role) {
            (Fate::Answered, echo_core::Role::Client) => seq <= end.held,
            (Fate::Answered, echo_core::Role::Server) => close.is_some() && seq <= end.sent.replies,
            (Fate::Refused, echo_core::Role::Client) => seq > end.held && (seq > end.sent.requests || above),
            (Fate::Refused, echo_core::Role::Server) => seq > end.ran,
            (Fate::Unknown, _) => true,
        };
        ensure(holds, ExplorerRule::Account, || {
            format!("the {who} wrongly counts request {seq} as {:?}", account.fate(seq))
        })?;
    }
    Ok(())
}
