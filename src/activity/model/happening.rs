//! What can happen, who may see it, and what is told of it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::access::{
    ORGANISATION_RESUMED, ORGANISATION_SUSPENDED, PLAN_DOWNGRADED, PLAN_UPGRADED, SESSION_ENDED, USER_JOINED,
    USER_REMOVED, USER_ROLE_CHANGED, USER_UPDATED,
};
use crate::activity::Origin;
use crate::types::{
    Audience, Channel, Email, InviteId, Message, MessageId, Named, OrganisationName, PersonName, PlanCode,
    Role, SessionId, SuspensionReason, Timestamp, UserId,
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

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageEvent {
    /// It waits to be sent.
    Queued,
    /// A gateway has taken it.
    Sent {
        /// Which.
        gateway: &'static str,
        /// What it said.
        detail: String,
    },
    /// It will not be sent.
    Failed {
        /// The gateway that was asked last.
        gateway: &'static str,
        /// Why.
        detail: String,
    },
    /// It was called off before it was sent.
    Cancelled,
}

/// What is told of a message.
#[derive(Debug, Clone)]
pub struct MessageFacts {
    /// Which.
    pub id: MessageId,
    /// To whom it is.
    pub to: String,
    /// On which channel.
    pub channel: Channel,
    /// What it costs, in credits.
    pub price: i64,
    /// Who sends it.
    pub created_by: UserId,
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
    /// A message on a channel came another step.
    MessageMoved {
        /// The message.
        message: MessageFacts,
        /// Which step.
        event: MessageEvent,
    },
    /// Few credits are left.
    CreditsLow {
        /// What may still be spent.
        balance: i64,
        /// From where on it is few.
        low_at: i64,
    },
    /// Somebody who looks after the hub changed the credits.
    CreditsChanged {
        /// The entry of the ledger.
        entry: i64,
        /// What was added.
        amount: i64,
        /// What may now be spent.
        balance: i64,
        /// Why.
        reason: String,
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
            Self::MessageMoved { event, .. } => match event {
                MessageEvent::Queued => "MESSAGE_QUEUED",
                MessageEvent::Sent { .. } => "MESSAGE_SENT",
                MessageEvent::Failed { .. } => "MESSAGE_FAILED",
                MessageEvent::Cancelled => "MESSAGE_CANCELLED",
            },
            Self::CreditsLow { .. } => "CREDITS_LOW",
            Self::CreditsChanged { .. } => "CREDITS_CHANGED",
            Self::BroadcastMessage { .. } => "BROADCAST_MESSAGE",
        }
    }

    /// Whether it is still taken where the organisation is suspended: what the platform does, what ends access, and
    /// what became of messages that had left, or were called off, by then.
    pub(super) fn is_for_suspended(&self) -> bool {
        match self {
            Self::OrganisationUpdated { .. }
            | Self::OrganisationSuspended { .. }
            | Self::OrganisationResumed
            | Self::UserRemoved { .. }
            | Self::InviteRevoked { .. }
            | Self::SessionEnded { .. }
            | Self::PasswordChanged { .. }
            | Self::PlanUpgraded { .. }
            | Self::PlanDowngraded { .. }
            | Self::CreditsLow { .. }
            | Self::CreditsChanged { .. } => true,
            Self::MessageMoved { event, .. } => match event {
                MessageEvent::Sent { .. } | MessageEvent::Failed { .. } | MessageEvent::Cancelled => true,
                MessageEvent::Queued => false,
            },
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
    pub(super) fn audience(&self) -> Audience {
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
            | Self::InviteRevoked { .. }
            | Self::CreditsLow { .. }
            | Self::CreditsChanged { .. } => Audience::Admins,
            Self::MessageMoved { message, .. } => Audience::AdminsAnd(message.created_by),
            Self::SessionStarted { user, .. }
            | Self::SessionEnded { user, .. }
            | Self::PasswordChanged { user, .. } => Audience::AdminsAnd(*user),
            Self::BroadcastMessage { audience, .. } => audience.clone(),
        }
    }

    /// Whom or what it was done to.
    pub(super) fn target(&self) -> Option<Named> {
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
            Self::MessageMoved { message, .. } => {
                Some(Named { id: message.id.as_uuid(), name: message.to.clone() })
            }
            Self::OrganisationCreated { .. }
            | Self::OrganisationUpdated { .. }
            | Self::OrganisationSuspended { .. }
            | Self::OrganisationResumed
            | Self::CreditsLow { .. }
            | Self::CreditsChanged { .. }
            | Self::SessionStarted { .. }
            | Self::SessionEnded { .. }
            | Self::PasswordChanged { .. }
            | Self::PlanUpgraded { .. }
            | Self::PlanDowngraded { .. }
            | Self::BroadcastMessage { .. } => None,
        }
    }

    /// The payload as it is stored and sent, for an activity recorded `at` that moment.
    pub(super) fn payload(&self, origin: &Origin, at: Timestamp) -> Value {
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
            Self::MessageMoved { message, event } => message_payload(message, event),
            Self::CreditsLow { balance, low_at } => json!({ "balance": balance, "lowAt": low_at }),
            Self::CreditsChanged { entry, amount, balance, reason } => {
                json!({ "entry": entry, "amount": amount, "balance": balance, "reason": reason })
            }
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

fn message_payload(message: &MessageFacts, event: &MessageEvent) -> Value {
    let MessageFacts { id, to, channel, price, created_by } = message;
    let (status, told) = match event {
        MessageEvent::Queued => ("QUEUED", None),
        MessageEvent::Sent { gateway, detail } => ("SENT", Some((gateway, detail))),
        MessageEvent::Failed { gateway, detail } => ("FAILED", Some((gateway, detail))),
        MessageEvent::Cancelled => ("CANCELLED", None),
    };
    let mut payload = json!({
        "messageId": id, "to": to, "channel": channel, "status": status, "price": price, "createdBy": created_by,
    });
    if let Some((gateway, detail)) = told {
        payload["gateway"] = json!(gateway);
        payload["detail"] = json!(detail);
    }
    payload
}
