//! What can happen, who may see it, and how it is written.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Origin;
use crate::db::schema::{activities, activity_heads};
use crate::error::{Result, suspended};
use crate::types::{
    AccessEffect, ActivityId, Audience, Email, EpochId, InviteId, LogEntry, Message, Named, OrgId,
    OrganisationName, PersonName, PlanCode, Role, Seq, SessionId, SuspensionReason, TargetId, Timestamp,
    UserId,
};

/// Why a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStart {
    /// The organisation was founded.
    Register,
    /// A sign-in.
    Login,
    /// A change over from another organisation.
    Switch,
    /// An invite was accepted.
    AcceptInvite,
    /// The first admin of an organisation that the platform founded.
    SignUp,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its user signed out.
    Logout,
    /// A refresh token was used a second time.
    RefreshReuse,
    /// Its user has a new password, by another session or the operator.
    PasswordChanged,
}

/// Something that happened in an organisation.
#[derive(Debug, Clone)]
pub enum Activity {
    /// The organisation came to be.
    OrganisationCreated {
        /// Its name.
        name: OrganisationName,
    },
    /// The organisation's name changed.
    OrganisationUpdated {
        /// The new name.
        name: OrganisationName,
    },
    /// The platform closed the organisation.
    OrganisationSuspended {
        /// Why, as its admins may read.
        reason: Option<SuspensionReason>,
    },
    /// The platform opened it again.
    OrganisationResumed,
    /// A user came to be.
    UserJoined {
        /// Who.
        user: UserId,
        /// Their name.
        name: PersonName,
        /// Their email.
        email: Email,
        /// Their role.
        role: Role,
    },
    /// A user changed their name.
    UserUpdated {
        /// Who.
        user: UserId,
        /// The new name.
        name: PersonName,
    },
    /// A user was removed.
    UserRemoved {
        /// Who.
        user: UserId,
        /// Their name.
        name: PersonName,
        /// By whom.
        removed_by: UserId,
    },
    /// A user has another role.
    UserRoleChanged {
        /// Who.
        user: UserId,
        /// Their name.
        name: PersonName,
        /// The role before.
        from: Role,
        /// The role now.
        to: Role,
    },
    /// Somebody was invited.
    UserInvited {
        /// The invite.
        invite: InviteId,
        /// To whom.
        email: Email,
        /// With which role.
        role: Role,
    },
    /// An invite no longer counts.
    InviteRevoked {
        /// The invite.
        invite: InviteId,
        /// To whom it was.
        email: Email,
        /// With which role.
        role: Role,
    },
    /// A user signed in.
    SessionStarted {
        /// Who.
        user: UserId,
        /// The session.
        session: SessionId,
        /// How.
        reason: SessionStart,
    },
    /// A session's tokens no longer count.
    SessionEnded {
        /// Whose.
        user: UserId,
        /// The session.
        session: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// A user has a new password.
    PasswordChanged {
        /// Who.
        user: UserId,
        /// In which session they chose it; `None` where the operator gave it.
        session: Option<SessionId>,
    },
    /// The organisation has a greater plan.
    PlanUpgraded {
        /// The plan before.
        from: PlanCode,
        /// The plan now.
        to: PlanCode,
    },
    /// The organisation has a smaller plan.
    PlanDowngraded {
        /// The plan before.
        from: PlanCode,
        /// The plan now.
        to: PlanCode,
    },
    /// An admin's message to everyone.
    BroadcastMessage {
        /// The text.
        message: Message,
        /// What the sender attached for applications.
        data: Option<Map<String, Value>>,
        /// Who may see it; everyone, unless the sender chose otherwise.
        audience: Audience,
    },
}

impl Activity {
    /// Its type on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OrganisationCreated { .. } => "ORGANISATION_CREATED",
            Self::OrganisationUpdated { .. } => "ORGANISATION_UPDATED",
            Self::OrganisationSuspended { .. } => ORGANISATION_SUSPENDED,
            Self::OrganisationResumed => ORGANISATION_RESUMED,
            Self::UserJoined { .. } => USER_JOINED,
            Self::UserUpdated { .. } => USER_UPDATED,
            Self::UserRemoved { .. } => USER_REMOVED,
            Self::UserRoleChanged { .. } => USER_ROLE_CHANGED,
            Self::UserInvited { .. } => "USER_INVITED",
            Self::InviteRevoked { .. } => "INVITE_REVOKED",
            Self::SessionStarted { .. } => "SESSION_STARTED",
            Self::SessionEnded { .. } => SESSION_ENDED,
            Self::PasswordChanged { .. } => "PASSWORD_CHANGED",
            Self::PlanUpgraded { .. } => PLAN_UPGRADED,
            Self::PlanDowngraded { .. } => PLAN_DOWNGRADED,
            Self::BroadcastMessage { .. } => "BROADCAST_MESSAGE",
        }
    }

    /// Whether it is still taken where the organisation is suspended: what the platform does, and what ends
    /// access.
    fn is_for_suspended(&self) -> bool {
        match self {
            Self::OrganisationUpdated { .. }
            | Self::OrganisationSuspended { .. }
            | Self::OrganisationResumed
            | Self::UserRemoved { .. }
            | Self::InviteRevoked { .. }
            | Self::SessionEnded { .. }
            | Self::PasswordChanged { .. }
            | Self::PlanUpgraded { .. }
            | Self::PlanDowngraded { .. } => true,
            Self::OrganisationCreated { .. }
            | Self::UserJoined { .. }
            | Self::UserUpdated { .. }
            | Self::UserRoleChanged { .. }
            | Self::UserInvited { .. }
            | Self::SessionStarted { .. }
            | Self::BroadcastMessage { .. } => false,
        }
    }

    /// Who may see it. The removed user is owed nothing of their removal: they are gone at its place.
    fn audience(&self) -> Audience {
        match self {
            Self::OrganisationCreated { .. }
            | Self::OrganisationUpdated { .. }
            | Self::UserJoined { .. }
            | Self::UserUpdated { .. }
            | Self::UserRemoved { .. }
            | Self::UserRoleChanged { .. }
            | Self::PlanUpgraded { .. }
            | Self::PlanDowngraded { .. } => Audience::Everyone,
            Self::OrganisationSuspended { .. }
            | Self::OrganisationResumed
            | Self::UserInvited { .. }
            | Self::InviteRevoked { .. } => Audience::Admins,
            Self::SessionStarted { user, .. }
            | Self::SessionEnded { user, .. }
            | Self::PasswordChanged { user, .. } => Audience::AdminsAnd(*user),
            Self::BroadcastMessage { audience, .. } => audience.clone(),
        }
    }

    /// Whom or what it was done to.
    fn target(&self) -> Option<Named> {
        match self {
            Self::UserJoined { user, name, .. }
            | Self::UserUpdated { user, name }
            | Self::UserRemoved { user, name, .. }
            | Self::UserRoleChanged { user, name, .. } => {
                Some(Named { id: user.as_uuid(), name: name.to_string() })
            }
            Self::UserInvited { invite, email, .. } | Self::InviteRevoked { invite, email, .. } => {
                Some(Named { id: invite.as_uuid(), name: email.to_string() })
            }
            Self::OrganisationCreated { .. }
            | Self::OrganisationUpdated { .. }
            | Self::OrganisationSuspended { .. }
            | Self::OrganisationResumed
            | Self::SessionStarted { .. }
            | Self::SessionEnded { .. }
            | Self::PasswordChanged { .. }
            | Self::PlanUpgraded { .. }
            | Self::PlanDowngraded { .. }
            | Self::BroadcastMessage { .. } => None,
        }
    }

    /// The payload as it is stored and sent, for an activity recorded `at` that moment.
    fn payload(&self, origin: &Origin, at: Timestamp) -> Value {
        match self {
            Self::OrganisationCreated { name } => json!({ "name": name }),
            Self::OrganisationUpdated { name } => json!({ "changes": { "name": name } }),
            Self::OrganisationSuspended { reason } => json!({ "reason": reason, "suspendedAt": at }),
            Self::OrganisationResumed => json!({ "resumedAt": at }),
            Self::UserJoined { user, name, email, role } => {
                json!({ "userId": user, "name": name, "email": email, "role": role })
            }
            Self::UserUpdated { user, name } => json!({ "userId": user, "changes": { "name": name } }),
            Self::UserRemoved { user, removed_by, .. } => json!({ "userId": user, "removedBy": removed_by }),
            Self::UserRoleChanged { user, from, to, .. } => json!({ "userId": user, "from": from, "to": to }),
            Self::UserInvited { invite, email, role } | Self::InviteRevoked { invite, email, role } => {
                json!({ "inviteId": invite, "email": email, "role": role })
            }
            Self::SessionStarted { user, session, reason } => {
                json!({ "userId": user, "sessionId": session, "reason": reason })
            }
            Self::SessionEnded { user, session, reason } => {
                json!({ "userId": user, "sessionId": session, "reason": reason })
            }
            Self::PasswordChanged { user, session } => {
                let reason = if session.is_some() { "password_changed" } else { "password_reset" };
                json!({ "userId": user, "sessionId": session, "reason": reason })
            }
            Self::PlanUpgraded { from, to } => json!({ "from": from, "to": to, "upgradedAt": at }),
            Self::PlanDowngraded { from, to } => json!({ "from": from, "to": to, "downgradedAt": at }),
            Self::BroadcastMessage { message, data, .. } => {
                let mut payload = Map::new();
                payload.insert("message".into(), message.as_str().into());
                payload.insert("sentBy".into(), json!(origin.actor.as_ref().map(|actor| actor.id)));
                payload.insert("sentAt".into(), json!(at));
                if let Some(data) = data {
                    payload.insert("data".into(), Value::Object(data.clone()));
                }
                Value::Object(payload)
            }
        }
    }
}

const ORGANISATION_SUSPENDED: &str = "ORGANISATION_SUSPENDED";
const ORGANISATION_RESUMED: &str = "ORGANISATION_RESUMED";
const USER_JOINED: &str = "USER_JOINED";
const USER_UPDATED: &str = "USER_UPDATED";
const USER_REMOVED: &str = "USER_REMOVED";
/// The type under which a user's roles are found in the log.
pub(crate) const USER_ROLE_CHANGED: &str = "USER_ROLE_CHANGED";
const SESSION_ENDED: &str = "SESSION_ENDED";
const PLAN_UPGRADED: &str = "PLAN_UPGRADED";
const PLAN_DOWNGRADED: &str = "PLAN_DOWNGRADED";

/// The payload of a [`USER_ROLE_CHANGED`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleChange {
    pub(crate) user_id: UserId,
    pub(crate) from: Role,
    pub(crate) to: Role,
}

/// What an entry of type `kind` changes about access, as its payload says.
fn access_effect(kind: &str, payload: &str) -> anyhow::Result<Option<AccessEffect>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Joined {
        user_id: UserId,
        name: String,
        role: Role,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Removed {
        user_id: UserId,
    }
    #[derive(Deserialize)]
    struct Changes {
        name: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Updated {
        user_id: UserId,
        changes: Changes,
    }
    #[derive(Deserialize)]
    struct PlanChange {
        to: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Ended {
        session_id: SessionId,
    }
    fn parse<'a, T: Deserialize<'a>>(kind: &str, payload: &'a str) -> anyhow::Result<T> {
        serde_json::from_str(payload).with_context(|| format!("the payload of a {kind} in the log"))
    }

    Ok(Some(match kind {
        USER_JOINED => {
            let Joined { user_id, name, role } = parse(kind, payload)?;
            AccessEffect::UserJoined { user: user_id, name, role }
        }
        USER_REMOVED => AccessEffect::UserRemoved { user: parse::<Removed>(kind, payload)?.user_id },
        USER_ROLE_CHANGED => {
            let RoleChange { user_id, to, .. } = parse(kind, payload)?;
            AccessEffect::RoleChanged { user: user_id, role: to }
        }
        USER_UPDATED => {
            let Updated { user_id, changes } = parse(kind, payload)?;
            AccessEffect::UserRenamed { user: user_id, name: changes.name }
        }
        ORGANISATION_SUSPENDED => AccessEffect::Suspended,
        ORGANISATION_RESUMED => AccessEffect::Resumed,
        SESSION_ENDED => AccessEffect::SessionEnded { session: parse::<Ended>(kind, payload)?.session_id },
        PLAN_UPGRADED | PLAN_DOWNGRADED => {
            let plan = parse::<PlanChange>(kind, payload)?.to;
            let plan = plan.try_into().with_context(|| format!("the payload of a {kind} in the log"))?;
            AccessEffect::PlanChanged { plan }
        }
        _ => return Ok(None),
    }))
}

/// An activity that has no place in the log yet.
pub(crate) struct Draft<'a> {
    pub(crate) id: ActivityId,
    pub(crate) origin: &'a Origin,
    pub(crate) activity: &'a Activity,
}

impl Draft<'_> {
    /// Gives it its place, where the head of its log now stands: the row to insert, and the entry that is
    /// delivered once that is committed.
    pub(crate) fn place(&self, head: &Head) -> anyhow::Result<(ActivityRow, LogEntry)> {
        let Self { id, origin, activity } = *self;
        let audience = activity.audience();
        let target = activity.target();
        let (audience_kind, audience_id) = match &audience {
            Audience::Everyone => (AUDIENCE_EVERYONE, None),
            Audience::Admins => (AUDIENCE_ADMINS, None),
            Audience::AdminsAnd(user) => (AUDIENCE_ADMINS_AND, Some(*user)),
            Audience::Users(_) => (AUDIENCE_USERS, None),
        };
        let row = ActivityRow {
            org_id: origin.org,
            seq: head.last_seq,
            id,
            kind: activity.kind().to_owned(),
            audience_kind: audience_kind.to_owned(),
            audience_id,
            actor_id: origin.actor.as_ref().map(|actor| actor.id),
            actor_name: origin.actor.as_ref().map(|actor| actor.name.clone()),
            target_id: target.as_ref().map(|target| target.id.into()),
            target_name: target.map(|target| target.name),
            payload: serde_json::to_string(&activity.payload(origin, head.last_at))
                .context("encoding a payload")?,
            ip: origin.ip.clone(),
            user_agent: origin.user_agent.clone(),
            created_at: head.last_at,
        };
        let recipients = match audience {
            Audience::Users(users) => users,
            Audience::Everyone | Audience::Admins | Audience::AdminsAnd(_) => Arc::default(),
        };
        let entry = row.to_entry(recipients, head.epoch)?;
        Ok((row, entry))
    }
}

/// The audience of every member.
pub(crate) const AUDIENCE_EVERYONE: &str = "EVERYONE";
/// `audience_kind` of what admins may see.
pub(crate) const AUDIENCE_ADMINS: &str = "ADMINS";
/// The audience of admins and the one user in `audience_id`.
pub(crate) const AUDIENCE_ADMINS_AND: &str = "ADMINS_AND";
/// The audience whose members stand in `activity_recipients`.
pub(crate) const AUDIENCE_USERS: &str = "USERS";

/// A row of the log.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = activities, treat_none_as_default_value = false)]
pub(crate) struct ActivityRow {
    pub(crate) org_id: OrgId,
    pub(crate) seq: Seq,
    pub(crate) id: ActivityId,
    pub(crate) kind: String,
    pub(crate) audience_kind: String,
    pub(crate) audience_id: Option<UserId>,
    pub(crate) actor_id: Option<UserId>,
    pub(crate) actor_name: Option<String>,
    pub(crate) target_id: Option<TargetId>,
    pub(crate) target_name: Option<String>,
    pub(crate) payload: String,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) created_at: Timestamp,
}

/// The activity as JSON, in the order in which the contract names its fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    seq: Seq,
    id: ActivityId,
    actor: Option<WireNamed<'a>>,
    target: Option<WireNamed<'a>>,
    payload: &'a RawValue,
    created_at: Timestamp,
}

#[derive(Serialize)]
struct WireNamed<'a> {
    id: Uuid,
    name: &'a str,
}

impl ActivityRow {
    /// The entry that this row stands for, in this epoch of its log; `recipients` are the users named by an
    /// audience of such.
    pub(crate) fn to_entry(&self, recipients: Arc<[UserId]>, epoch: EpochId) -> anyhow::Result<LogEntry> {
        let audience = match (self.audience_kind.as_str(), self.audience_id) {
            (AUDIENCE_EVERYONE, None) => Audience::Everyone,
            (AUDIENCE_ADMINS, None) => Audience::Admins,
            (AUDIENCE_ADMINS_AND, Some(user)) => Audience::AdminsAnd(user),
            (AUDIENCE_USERS, None) => Audience::Users(recipients),
            (other, _) => anyhow::bail!("the log holds an audience that this version does not know: {other}"),
        };
        Ok(LogEntry {
            org: self.org_id,
            epoch,
            seq: self.seq,
            id: self.id,
            audience,
            effect: access_effect(&self.kind, &self.payload)?,
            created_at: self.created_at,
            json: self.to_json()?,
        })
    }

    /// The activity as every protocol sends it. The same row gives the same bytes.
    pub(crate) fn to_json(&self) -> anyhow::Result<Bytes> {
        let actor = self.actor_id.zip(self.actor_name.as_deref());
        let target = self.target_id.zip(self.target_name.as_deref());
        let wire = Wire {
            kind: &self.kind,
            seq: self.seq,
            id: self.id,
            actor: actor.map(|(id, name)| WireNamed { id: id.as_uuid(), name }),
            target: target.map(|(id, name)| WireNamed { id: id.as_uuid(), name }),
            payload: serde_json::from_str(&self.payload).context("a payload in the log is not JSON")?,
            created_at: self.created_at,
        };
        Ok(serde_json::to_vec(&wire).context("encoding an activity")?.into())
    }
}

/// Where a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = activity_heads)]
pub struct Head {
    /// Whose log.
    pub org_id: OrgId,
    /// Which life of it.
    pub epoch: EpochId,
    /// The first activity that is kept.
    pub first_seq: Seq,
    /// The last activity; 0 where there is none.
    pub last_seq: Seq,
    /// The last activity's id.
    pub last_id: Option<ActivityId>,
    /// When the last activity was recorded.
    pub last_at: Timestamp,
    /// Since when the organisation is suspended, if it is.
    pub suspended_at: Option<Timestamp>,
}

impl Head {
    /// Refuses what a suspended organisation does not take. Decided under the head's lock, so what is committed
    /// behind a suspension is none of it, whoever was let in before.
    pub(crate) fn require_taken(&self, activity: &Activity) -> Result<()> {
        if self.suspended_at.is_none() || activity.is_for_suspended() { Ok(()) } else { Err(suspended()) }
    }
}
