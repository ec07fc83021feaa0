//! How an activity is written, and the log that it is written to.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use diesel::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Activity;
use super::access::access_effect;
use crate::activity::Origin;
use crate::db::schema::{activities, activity_heads};
use crate::error::{Result, suspended};
use crate::types::{ActivityId, Audience, EpochId, LogEntry, OrgId, Seq, TargetId, Timestamp, UserId};

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
