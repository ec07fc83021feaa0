//! What an entry of the log changes about access.

use anyhow::Context as _;
use serde::Deserialize;

use crate::types::{AccessEffect, Role, SessionId, UserId};

pub(super) const ORGANISATION_SUSPENDED: &str = "ORGANISATION_SUSPENDED";
pub(super) const ORGANISATION_RESUMED: &str = "ORGANISATION_RESUMED";
pub(super) const USER_JOINED: &str = "USER_JOINED";
pub(super) const USER_UPDATED: &str = "USER_UPDATED";
pub(super) const USER_REMOVED: &str = "USER_REMOVED";
/// The type under which a user's roles are found in the log.
pub(crate) const USER_ROLE_CHANGED: &str = "USER_ROLE_CHANGED";
pub(super) const SESSION_ENDED: &str = "SESSION_ENDED";
pub(super) const PLAN_UPGRADED: &str = "PLAN_UPGRADED";
pub(super) const PLAN_DOWNGRADED: &str = "PLAN_DOWNGRADED";

/// The payload of a [`USER_ROLE_CHANGED`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleChange {
    pub(crate) user_id: UserId,
    pub(crate) from: Role,
    pub(crate) to: Role,
}

/// What an entry of type `kind` changes about access, as its payload says.
pub(super) fn access_effect(kind: &str, payload: &str) -> anyhow::Result<Option<AccessEffect>> {
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
