//! What a presented refresh token brings about, decided without a look at anything else.

use std::time::Duration;

use super::opaque::TokenHash;
use crate::types::Timestamp;

/// What becomes of a session whose refresh token was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the current one: a successor takes its place.
    Rotate,
    /// It is the one before and its successor was not used: the answer was lost, or two tabs asked at
    /// once. The successor is replaced by another.
    Replace,
    /// It was used before and its successor too, or too long ago: somebody else may have it. The session
    /// ends.
    Reuse,
    /// The session has ended.
    Ended,
    /// The session was not refreshed in time.
    Expired,
    /// A successor that was replaced and never used: worthless, and no sign of theft.
    Replaced,
}

/// What of a session a presented token is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refreshable<'a> {
    /// The hash of the token that counts.
    pub(crate) refresh_hash: &'a [u8],
    /// How many came before that.
    pub(crate) refresh_generation: i64,
    /// The hash of the one before.
    pub(crate) previous_hash: Option<&'a [u8]>,
    pub(crate) rotated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
}

/// Judges the token with `hash` and `generation`, presented `now` to `session`.
///
/// A used successor would have moved the hash before it out of the row, so a token that equals
/// `previous_hash` has an unused successor.
pub(crate) fn judge(
    session: Refreshable<'_>,
    hash: TokenHash,
    generation: u32,
    now: Timestamp,
    leeway: Duration,
) -> Verdict {
    let generation = i64::from(generation);
    if session.ended_at.is_some() {
        Verdict::Ended
    } else if session.expires_at <= now {
        Verdict::Expired
    } else if hash.matches(session.refresh_hash) {
        Verdict::Rotate
    } else if session.previous_hash.is_some_and(|previous| hash.matches(previous)) {
        if now.since(session.rotated_at) <= leeway { Verdict::Replace } else { Verdict::Reuse }
    } else if generation < session.refresh_generation.saturating_sub(1) {
        Verdict::Reuse
    } else {
        Verdict::Replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::model::Session;
    use crate::types::{OrgId, SessionId, UserId};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const LEEWAY: Duration = Duration::from_secs(30);

    fn hash(text: &str) -> TokenHash {
        TokenHash::of(text.as_bytes())
    }

    /// A session at generation 5, rotated `ago`.
    fn session(ago: Duration) -> Session {
        Session {
            org_id: OrgId::new(),
            id: SessionId::new(),
            user_id: UserId::new(),
            password_version: 1,
            refresh_hash: hash("current").to_vec(),
            refresh_generation: 5,
            previous_hash: Some(hash("previous").to_vec()),
            rotated_at: NOW.minus(ago),
            created_at: NOW.minus(ago),
            expires_at: NOW.plus(Duration::from_mins(1)),
            ended_at: None,
            ip: None,
            user_agent: None,
        }
    }

    #[test]
    fn each_token_has_its_verdict() {
        let (soon, late) = (LEEWAY, LEEWAY + Duration::from_millis(1));
        for (token, generation, ago, expected) in [
            ("current", 5, late, Verdict::Rotate),
            ("current", 5, soon, Verdict::Rotate),
            ("previous", 4, soon, Verdict::Replace),
            ("previous", 4, late, Verdict::Reuse),
            ("older", 3, soon, Verdict::Reuse),
            ("first", 0, late, Verdict::Reuse),
            ("replaced successor", 5, soon, Verdict::Replaced),
            ("replaced successor", 5, late, Verdict::Replaced),
            ("replaced before that", 4, late, Verdict::Replaced),
            ("from before a restore", 9, late, Verdict::Replaced),
        ] {
            let found = judge(session(ago).refreshable(), hash(token), generation, NOW, LEEWAY);
            assert_eq!(found, expected, "{token} {ago:?}");
        }
    }

    #[test]
    fn a_session_that_is_over_does_not_come_back() {
        let mut over = session(Duration::ZERO);
        over.expires_at = NOW;
        assert_eq!(judge(over.refreshable(), hash("current"), 5, NOW, LEEWAY), Verdict::Expired);
        assert_eq!(judge(over.refreshable(), hash("older"), 1, NOW, LEEWAY), Verdict::Expired);
        over.ended_at = Some(NOW);
        assert_eq!(judge(over.refreshable(), hash("current"), 5, NOW, LEEWAY), Verdict::Ended);
    }

    #[test]
    fn a_session_that_was_never_refreshed_has_no_previous() {
        let mut fresh = session(Duration::ZERO);
        fresh.previous_hash = None;
        fresh.refresh_generation = 0;
        assert_eq!(judge(fresh.refreshable(), hash("current"), 0, NOW, LEEWAY), Verdict::Rotate);
        assert_eq!(judge(fresh.refreshable(), hash("other"), 0, NOW, LEEWAY), Verdict::Replaced);
    }
}
