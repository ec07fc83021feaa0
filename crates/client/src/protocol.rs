//! The frames of the socket, as a client sees them.
//!
//! Types and fields that are not known here are ignored, so that a client outlives many versions of
//! its server. Moments stay text (RFC 3339 in UTC): this crate compares none.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::value::RawValue;
use uuid::Uuid;

/// One frame from the server.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Frame {
    /// The first frame of every socket.
    Welcome(Welcome),
    /// An entry of the activity log, of whatever type.
    Activity(Activity),
    /// Everything up to its `seq` has been sent.
    Pong(Pong),
    /// Something in the log is out of reach.
    ResumeGap(ResumeGap),
    /// A fresh token was accepted.
    AuthOk(AuthOk),
    /// The server refused a frame of this client; the socket stays open.
    Error(ErrorNotice),
    /// The node drains and closes this socket soon.
    GoAway(GoAway),
    /// A member came online.
    UserOnline(Presence),
    /// A member went offline.
    UserOffline(Presence),
    /// A frame of a type that this client does not know.
    Unknown {
        /// Its `type`.
        kind: String,
    },
}

/// Where and as whom a socket starts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// Names this socket in the server's logs.
    pub connection_id: Uuid,
    /// The organisation whose log this is.
    pub organisation_id: Uuid,
    /// The caller's membership.
    pub user_id: Uuid,
    /// The caller's role at this moment: `ADMIN`, `MEMBER` or one that is not known here.
    pub role: String,
    /// Where this socket starts: what follows has a higher `seq`.
    pub seq: i64,
    /// The last `seq` of the log at this moment.
    pub head_seq: i64,
    /// Names the log; another epoch means that it was replaced.
    pub epoch: Uuid,
    /// Whether the socket goes on from the `after` that was given, without a gap.
    pub resumed: bool,
    /// How often the server sends a PONG unasked; none for twice as long means a dead link.
    pub heartbeat_seconds: u64,
    /// When the token expires.
    pub token_expires_at: String,
}

/// An entry of the activity log. The feed of the API has the same shape.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// What happened: `USER_JOINED`, `BROADCAST_MESSAGE`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its place in the organisation's log, counted from 1.
    pub seq: i64,
    /// Names the activity everywhere.
    pub id: Uuid,
    /// Who did it; none if the system did.
    pub actor: Option<Named>,
    /// To whom or what it was done, where there is such a thing.
    pub target: Option<Named>,
    /// The details, byte for byte as they were sent; their shape depends on `kind`.
    pub payload: Box<RawValue>,
    /// When it was committed.
    pub created_at: String,
}

impl Activity {
    /// Decodes the payload.
    pub fn payload_as<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.payload.get())
    }
}

impl PartialEq for Activity {
    /// Payloads are equal if their bytes are.
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.seq == other.seq
            && self.id == other.id
            && self.actor == other.actor
            && self.target == other.target
            && self.payload.get() == other.payload.get()
            && self.created_at == other.created_at
    }
}

/// Someone or something, with the name that it had at the time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// Its id.
    pub id: Uuid,
    /// Its name as of then.
    pub name: String,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Pong {
    /// Everything up to here has been sent.
    pub seq: i64,
}

/// Activities that the server cannot deliver any more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResumeGap {
    /// Why.
    pub reason: GapReason,
    /// The stream goes on with this `seq` or a later one.
    pub next_seq: i64,
}

/// Why activities are out of reach.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GapReason {
    /// They are older than what the server keeps.
    Expired,
    /// The log was replaced by another one: reload the feed.
    EpochChanged,
    /// The position lies beyond the end of the log: reload the feed.
    AheadOfLog,
    /// A reason that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// The answer to an AUTH frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthOk {
    /// When the fresh token expires.
    pub token_expires_at: String,
    /// The caller's role at this moment.
    pub role: String,
}

/// Why a frame of this client was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorNotice {
    /// Stable, in `snake_case`.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// Notice of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoAway {
    /// Milliseconds until the server closes this socket.
    pub closes_in_ms: u64,
}

/// Whose presence changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// The member.
    pub user_id: Uuid,
}

/// What frames other than activities have in common.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    seq: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl Envelope<'_> {
    fn payload<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let payload = self.payload.ok_or_else(|| serde_json::Error::missing_field("payload"))?;
        serde_json::from_str(payload.get())
    }
}

impl Frame {
    /// Decodes the text of one WebSocket message.
    ///
    /// Whatever has a `seq` at its top level is an activity. Fails if the text is no JSON object with
    /// a `type`, or if a frame of a known type lacks what the type promises.
    pub fn decode(text: &str) -> Result<Self, serde_json::Error> {
        // Nearly all frames are activities, so they are decoded in one pass.
        let no_activity = match serde_json::from_str(text) {
            Ok(activity) => return Ok(Self::Activity(activity)),
            Err(error) => error,
        };
        let envelope: Envelope<'_> = serde_json::from_str(text)?;
        if envelope.seq.is_some() {
            return Err(no_activity);
        }
        Ok(match envelope.kind.as_ref() {
            "WELCOME" => Self::Welcome(envelope.payload()?),
            "PONG" => Self::Pong(envelope.payload()?),
            "RESUME_GAP" => Self::ResumeGap(envelope.payload()?),
            "AUTH_OK" => Self::AuthOk(envelope.payload()?),
            "ERROR" => Self::Error(envelope.payload()?),
            "GOAWAY" => Self::GoAway(envelope.payload()?),
            "USER_ONLINE" => Self::UserOnline(envelope.payload()?),
            "USER_OFFLINE" => Self::UserOffline(envelope.payload()?),
            _ => Self::Unknown { kind: envelope.kind.into_owned() },
        })
    }
}

/// One frame to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientFrame {
    /// Asks for a PONG.
    Ping,
    /// Puts a fresh token of the same user on the open socket.
    Auth(crate::Token),
}

impl ClientFrame {
    /// The text of the WebSocket message.
    pub fn encode(&self) -> String {
        match self {
            Self::Ping => r#"{"type":"PING"}"#.to_owned(),
            Self::Auth(token) => {
                serde_json::json!({"type": "AUTH", "payload": {"token": token.as_str()}}).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests;
