//! Frames for unit tests.

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::protocol::{Activity, Frame, Welcome};

/// The organisation of [`welcome`].
pub(crate) const ORGANISATION: Uuid = Uuid::from_u128(100);

pub(crate) fn welcome(seq: i64, epoch: Uuid, resumed: bool) -> Frame {
    Frame::Welcome(Welcome {
        connection_id: Uuid::nil(),
        organisation_id: ORGANISATION,
        user_id: Uuid::nil(),
        role: "MEMBER".to_owned(),
        seq,
        head_seq: seq,
        epoch,
        resumed,
        heartbeat_seconds: 25,
        token_expires_at: String::new(),
    })
}

pub(crate) fn activity(seq: i64) -> Frame {
    Frame::Activity(Activity {
        kind: "BROADCAST_MESSAGE".to_owned(),
        seq,
        id: Uuid::nil(),
        actor: None,
        target: None,
        payload: RawValue::NULL.to_owned(),
        created_at: String::new(),
    })
}
