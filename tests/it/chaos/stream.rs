//! A subscription over server-sent events, as a client with a position of its own keeps it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use roomcast_client::{CloseCode, Reconnect, Verifier};
use tokio::sync::Notify;

use super::subscriber::{PATIENCE, Session, State};
use crate::harness::{Client, StreamOptions, Streamed, TestStream};

/// Before it asks the next node.
const PAUSE: Duration = Duration::from_millis(100);

/// A stream that says nothing for so long, not even a comment, is lost.
const SILENCE: Duration = Duration::from_secs(40);

/// What an attempt came to.
enum End {
    /// Another node may serve it.
    Lost(String),
    /// Nobody will.
    SentAway(String),
}

/// Goes from node to node until it is told to stop.
pub(super) async fn run(
    nodes: Vec<Client>,
    session: Session,
    after: Option<i64>,
    state: Arc<State>,
    stop: Arc<Notify>,
) -> Verifier {
    let mut verifier = Verifier::recording(session.person().org_id().as_uuid());
    let subscribed = async {
        for node in nodes.iter().cycle() {
            match attempt(node, &session, after, &state, &mut verifier).await {
                End::Lost(why) => state.note(&format!("lost: {why}")),
                End::SentAway(why) => {
                    state.note(&format!("sent away: {why}"));
                    state.has_ended.store(true, Ordering::SeqCst);
                    break;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stop.notified() => {}
        () = subscribed => {}
    }
    verifier
}

async fn attempt(
    node: &Client,
    session: &Session,
    after: Option<i64>,
    state: &State,
    verifier: &mut Verifier,
) -> End {
    let mut options = StreamOptions::new(&session.person().access_token);
    if let Some(position) = verifier.position() {
        options = options.last_event_id(position.seq);
        if let Some(epoch) = position.epoch {
            options = options.parameter("epoch", epoch);
        }
    } else if let Some(after) = after {
        options = options.after(after);
    }
    let answer = tokio::time::timeout(PATIENCE, node.ask_stream(&options).into_response(SILENCE * 100));
    let Ok(Some(answer)) = answer.await else { return End::Lost("no answer".to_owned()) };
    match answer.status().as_u16() {
        200 => {}
        status @ (401 | 403) => return End::SentAway(status.to_string()),
        status => return End::Lost(status.to_string()),
    }
    let mut stream = TestStream::of(answer);
    loop {
        match tokio::time::timeout(SILENCE, stream.receive()).await {
            Err(_) => return End::Lost(format!("nothing for {SILENCE:?}")),
            Ok(Streamed::Frame { frame, text, .. }) => {
                verifier.observe_text(&frame, &text);
                state.saw(&frame, verifier.position());
            }
            Ok(Streamed::Comment) => {}
            Ok(Streamed::Ended(_)) => return End::Lost("the end".to_owned()),
            Ok(Streamed::Closed(code)) => return closed(code),
        }
    }
}

fn closed(code: CloseCode) -> End {
    match code.reconnect() {
        Reconnect::Never | Reconnect::RefreshToken => End::SentAway(code.to_string()),
        Reconnect::AtOnce | Reconnect::BackOff => End::Lost(code.to_string()),
    }
}
