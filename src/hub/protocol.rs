//! The socket's protocol: the frames of the contract, and the codes for errors and closing side by side.

use serde::{Deserialize, Serialize};

use super::core::{GapReason, ResumeGap};
use crate::types::{ConnectionId, EpochId, OrgId, Role, Seq, Timestamp, UserId};

/// Why a socket is closed. Each says whether the client should come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The client closed.
    Normal,
    /// The node stops. Come back at once.
    GoingAway,
    /// The frame breaks the protocol of RFC 6455, through the client's fault or a proxy's in between. Back off.
    ProtocolError,
    /// A frame is too big. Do not come back.
    TooBig,
    /// A text is not UTF-8, through the client's fault or a proxy's in between. Back off.
    InvalidText,
    /// A fault of ours. Back off.
    InternalError,
    /// The node restarts, or the log was replaced. Come back at once.
    ServiceRestart,
    /// The request or its frames cannot be understood. Do not come back.
    BadRequest,
    /// Token missing, invalid or expired, or its session ended. Refresh, then come back.
    Unauthorized,
    /// Removed from the organisation. Do not come back.
    Removed,
    /// The organisation is suspended. Do not come back.
    Suspended,
    /// Too slow. Come back at once.
    TooSlow,
    /// Too many sockets, or too many frames. Back off.
    TooMany,
    /// The store is not available. Back off.
    Unavailable,
}

impl CloseCode {
    /// The code on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::InvalidText => 1007,
            Self::TooBig => 1009,
            Self::InternalError => 1011,
            Self::ServiceRestart => 1012,
            Self::BadRequest => 4400,
            Self::Unauthorized => 4401,
            Self::Removed => 4403,
            Self::Suspended => 4404,
            Self::TooSlow => 4408,
            Self::TooMany => 4429,
            Self::Unavailable => 4503,
        }
    }

    /// The reason on the wire, for people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "closed",
            Self::GoingAway => "going away",
            Self::ProtocolError => "protocol error",
            Self::InvalidText => "text is not UTF-8",
            Self::TooBig => "frame too big",
            Self::InternalError => "internal error",
            Self::ServiceRestart => "restart",
            Self::BadRequest => "bad request",
            Self::Unauthorized => "token missing, invalid or expired, or session ended",
            Self::Removed => "removed from the organisation",
            Self::Suspended => "organisation suspended",
            Self::TooSlow => "too slow",
            Self::TooMany => "too many sockets or frames",
            Self::Unavailable => "store not available",
        }
    }
}

/// What an ERROR frame is about. The socket stays open unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The frame is not one of the protocol. The third closes with 4400.
    BadFrame,
    /// The token of an AUTH is not valid, not this user's, or its session has ended.
    TokenInvalid,
    /// Whether the token of an AUTH may enter cannot be told now: try again.
    AccessUnknown,
}

impl ErrorCode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::TokenInvalid => "token_invalid",
            Self::AccessUnknown => "access_unknown",
        }
    }
}

/// What a client may send, one JSON text frame each.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "UPPERCASE")]
pub enum ClientFrame {
    /// Asks for a PONG.
    Ping,
    /// Puts a fresh token of the same user in the place of the present one.
    Auth {
        /// The token.
        token: String,
    },
}

/// What the server sends besides activities, one JSON text frame each.
#[derive(Debug, Serialize)]
#[serde(
    tag = "type",
    content = "payload",
    rename_all = "SCREAMING_SNAKE_CASE",
    rename_all_fields = "camelCase"
)]
pub enum ServerFrame {
    /// The first frame.
    Welcome {
        /// Names this connection.
        connection_id: ConnectionId,
        /// The organisation.
        organisation_id: OrgId,
        /// The user.
        user_id: UserId,
        /// The user's role now.
        role: Role,
        /// Everything after this follows.
        seq: Seq,
        /// Where the log stands.
        head_seq: Seq,
        /// Which life of the log this is.
        epoch: EpochId,
        /// Whether `after` was given and is continued from.
        resumed: bool,
        /// Seconds between two heartbeats.
        heartbeat_seconds: u64,
        /// When the token ends.
        token_expires_at: Timestamp,
    },
    /// Everything up to `seq` has been sent.
    Pong {
        /// The position.
        seq: Seq,
    },
    /// Entries between the client's position and `next_seq` will not come.
    ResumeGap {
        /// Why.
        reason: &'static str,
        /// The first that may come.
        next_seq: Seq,
    },
    /// A fresh token counts from now on.
    AuthOk {
        /// When it ends.
        token_expires_at: Timestamp,
        /// The user's role now.
        role: Role,
    },
    /// The node goes away and closes this socket then: the client may open its next before.
    #[serde(rename = "GOAWAY")]
    GoAway {
        /// Milliseconds from now.
        closes_in_ms: u64,
    },
    /// A user has come online.
    UserOnline {
        /// The user.
        user_id: UserId,
    },
    /// A user has gone offline.
    UserOffline {
        /// The user.
        user_id: UserId,
    },
    /// Something that the client sent was refused.
    Error {
        /// What clients match on.
        code: &'static str,
        /// For people.
        detail: String,
    },
}

impl ServerFrame {
    /// Up to where a client has everything once it has this frame, if the frame says so.
    pub fn position(&self) -> Option<Seq> {
        match self {
            Self::Welcome { seq, .. } | Self::Pong { seq } => Some(*seq),
            Self::ResumeGap { next_seq, .. } => Some(next_seq.previous()),
            Self::AuthOk { .. }
            | Self::GoAway { .. }
            | Self::UserOnline { .. }
            | Self::UserOffline { .. }
            | Self::Error { .. } => None,
        }
    }

    /// A frame about something that was refused.
    pub fn error(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Error { code: code.as_str(), detail: detail.into() }
    }

    /// A frame about whether a user is online.
    pub const fn presence(user_id: UserId, online: bool) -> Self {
        if online { Self::UserOnline { user_id } } else { Self::UserOffline { user_id } }
    }
}

impl From<ResumeGap> for ServerFrame {
    fn from(gap: ResumeGap) -> Self {
        let reason = match gap.reason {
            GapReason::Expired => "expired",
            GapReason::EpochChanged => "epoch_changed",
            GapReason::AheadOfLog => "ahead_of_log",
        };
        Self::ResumeGap { reason, next_seq: gap.next_seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_frames_are_read_leniently_where_it_does_no_harm() {
        let parse = |text| serde_json::from_str::<ClientFrame>(text).ok();
        assert_eq!(parse(r#"{"type":"PING"}"#), Some(ClientFrame::Ping));
        let auth = Some(ClientFrame::Auth { token: "x".to_owned() });
        assert_eq!(parse(r#"{"type":"AUTH","payload":{"token":"x","more":1}}"#), auth);
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"type":"AUTH"}"#,
            r#"{"type":"SHOUT"}"#,
            r#"{"type":"AUTH","payload":{"token":1}}"#,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn server_frames_have_the_contracts_names() {
        let text = |frame: ServerFrame| serde_json::to_string(&frame).unwrap();
        assert_eq!(text(ServerFrame::Pong { seq: Seq::ZERO }), r#"{"type":"PONG","payload":{"seq":0}}"#);
        let gap = ResumeGap { reason: GapReason::AheadOfLog, next_seq: Seq::ZERO.next() };
        assert_eq!(
            text(gap.into()),
            r#"{"type":"RESUME_GAP","payload":{"reason":"ahead_of_log","nextSeq":1}}"#
        );
        let away = ServerFrame::GoAway { closes_in_ms: 1500 };
        assert_eq!(text(away), r#"{"type":"GOAWAY","payload":{"closesInMs":1500}}"#);
        let ok = ServerFrame::AuthOk { token_expires_at: Timestamp::from_millis(0), role: Role::Admin };
        assert_eq!(
            text(ok),
            r#"{"type":"AUTH_OK","payload":{"tokenExpiresAt":"1970-01-01T00:00:00.000Z","role":"ADMIN"}}"#
        );
    }
}
