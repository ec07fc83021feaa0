//! One committed entry of an organisation's log, in the form in which it is handed around.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ActivityId, Audience, EpochId, OrgId, PlanCode, Role, Seq, SessionId, Timestamp, UserId};

/// A person or thing by id and by its name as of then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Named {
    /// The id of the user, invite or organisation.
    pub id: Uuid,
    /// The name that it had when the activity was recorded.
    pub name: String,
}

/// The user who did something, by name as of then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user's id in the organisation.
    pub id: UserId,
    /// The user's name when they did it.
    pub name: String,
}

/// What an entry changes about who may enter, read from the log at its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessEffect {
    /// A user came to be.
    UserJoined {
        /// Who.
        user: UserId,
        /// Their name then.
        name: String,
        /// Their role from here on.
        role: Role,
    },
    /// A user is no more.
    UserRemoved {
        /// Who.
        user: UserId,
    },
    /// A user's role from here on.
    RoleChanged {
        /// Who.
        user: UserId,
        /// The new role.
        role: Role,
    },
    /// A user's name from here on.
    UserRenamed {
        /// Who.
        user: UserId,
        /// The new name.
        name: String,
    },
    /// Nobody may enter from here on.
    Suspended,
    /// Everybody may again who might before.
    Resumed,
    /// A session's tokens no longer count.
    SessionEnded {
        /// Which.
        session: SessionId,
    },
    /// The organisation's plan from here on, and with it how much it may ask for.
    PlanChanged {
        /// The new plan.
        plan: PlanCode,
    },
}

/// An activity that is committed: what the hub delivers, byte for byte what a replay sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Whose log it is in.
    pub org: OrgId,
    /// In which life of that log.
    pub epoch: EpochId,
    /// Its place there.
    pub seq: Seq,
    /// Its id.
    pub id: ActivityId,
    /// Who may see it.
    pub audience: Audience,
    /// What it changes about access, if anything.
    pub effect: Option<AccessEffect>,
    /// When it was recorded; never before its predecessor.
    pub created_at: Timestamp,
    /// The activity as JSON, as every protocol sends it.
    pub json: Bytes,
}

impl LogEntry {
    /// Roughly what it holds in memory, in bytes, for the bounds of caches.
    pub fn cost(&self) -> usize {
        let named = match &self.audience {
            Audience::Users(users) => size_of_val::<[UserId]>(users),
            Audience::Everyone | Audience::Admins | Audience::AdminsAnd(_) => 0,
        };
        size_of::<Self>() + self.json.len() + named
    }
}
