//! What stands alone: a frame, a token.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use roomcast::auth::Tokens;
use roomcast::hub::core::Entry;
use roomcast::types::{
    ActivityId, Audience, EpochId, LogEntry, OrgId, Role, Seq, SessionId, Timestamp, UserId,
};

use crate::Run;

/// An entry of a log.
pub(crate) fn entry(seq: i64, epoch: EpochId, audience: Audience, bytes: usize) -> Arc<LogEntry> {
    Arc::new(LogEntry {
        org: OrgId::new(),
        epoch,
        seq: Seq::ZERO.plus(seq),
        id: ActivityId::new(),
        audience,
        effect: None,
        created_at: Timestamp::from_millis(seq),
        json: vec![b'x'; bytes].into(),
    })
}

/// An entry is framed, once for all who get it.
pub(crate) fn frame(bytes: usize) -> Run {
    let (log, now) = (entry(1, EpochId::new(), Audience::Everyone, bytes), Instant::now());
    Box::new(move || {
        black_box(Entry::live(&log, now).websocket());
    })
}

/// An access token is checked, as on every request and handshake.
pub(crate) fn token() -> Run {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let tokens = Tokens::new(b"a key for benches that signs nothing of worth", Duration::from_mins(15));
    let token = tokens
        .issue(OrgId::new(), UserId::new(), Role::Member, SessionId::new(), now)
        .expect("a token can be signed");
    Box::new(move || {
        black_box(tokens.verify(black_box(&token), now)).expect("it is one of ours");
    })
}
