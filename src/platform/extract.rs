//! Who of the platform is asking.

use std::ops::Deref;

use anyhow::Context as _;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::audit::{Asked, Note};
use super::model::{Administrator, AdministratorRole};
use super::policy::{self, Permission};
use super::service::sessions;
use crate::activity::Origin;
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::http::extract::bearer;
use crate::http::meter::GenuineAdministrator;
use crate::http::{ClientInfo, Meter};
use crate::types::{OrgId, SessionId, Timestamp};

/// A platform administrator who is signed in, as they are now.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) administrator: Administrator,
    pub(crate) session: SessionId,
    pub(crate) client: ClientInfo,
    note: Note,
}

impl Deref for Operator {
    type Target = Administrator;

    fn deref(&self) -> &Administrator {
        &self.administrator
    }
}

impl Operator {
    /// Refuses with `role_forbidden` where the role does not allow it.
    pub(crate) fn require(&self, permission: Permission) -> Result<()> {
        if policy::allows(self.role, permission) { Ok(()) } else { Err(forbidden(self.role)) }
    }

    /// The same about an organisation, which the audit then names.
    pub(crate) fn require_for(&self, permission: Permission, org: OrgId) -> Result<()> {
        self.note.about(org);
        self.require(permission)
    }

    /// Notes for the audit which organisation it came to be about.
    pub(crate) fn note_about(&self, org: OrgId) {
        self.note.about(org);
    }

    /// The origin of what they do in an organisation.
    pub(crate) fn origin(&self, org: OrgId, at: Timestamp) -> Origin {
        self.client.origin(org, Some(self.to_actor()), at)
    }
}

pub(super) fn forbidden(role: AdministratorRole) -> Error {
    Error::refused(
        Code::RoleForbidden,
        format!("The role {} does not allow this: docs/platform.md has the table.", role.as_str()),
    )
}

impl Operator {
    /// Finds out who is asking. What they ask has not begun.
    pub(super) async fn identify(parts: &mut Parts, app: &App) -> Result<Self> {
        let token = parts.extensions.get::<GenuineAdministrator>().map(|genuine| genuine.0.clone());
        // It was looked at before the body came, which may have taken its time.
        let claims = match token.filter(|claims| claims.exp > app.clock.now().as_secs()) {
            Some(claims) => Some(claims),
            None => bearer(&parts.headers)
                .and_then(|token| app.platform_tokens.verify(token, app.clock.now()).ok()),
        };
        let claims = claims.ok_or_else(|| {
            Error::refused(
                Code::TokenInvalid,
                "Send a platform administrator's access token that is valid: Authorization: Bearer <token>.",
            )
        })?;
        let administrator = match sessions::load(app, &claims).await {
            Ok(administrator) => administrator,
            Err(denied) => {
                if denied.code() == Code::SessionEnded {
                    let meter =
                        parts.extensions.get::<Meter>().context("a request that no limit looked at")?;
                    meter.count_stranger()?;
                }
                return Err(denied);
            }
        };
        let note = parts.extensions.get::<Note>().context("a request without its note")?.clone();
        note.identify(&administrator);
        Ok(Self { administrator, session: claims.sid, client: ClientInfo::of(parts), note })
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let operator = Self::identify(parts, app).await?;
        let asked = parts.extensions.get::<Asked>().context("a request that nobody described")?;
        if let Some(org) = organisation_in(&asked.path) {
            operator.note.about(org);
        }
        operator.note.begin(app, asked).await?;
        Ok(operator)
    }
}

/// The organisation that a path of the platform names.
fn organisation_in(path: &str) -> Option<OrgId> {
    path.strip_prefix("/platform/organisations/")?.split('/').next()?.parse().ok()
}
