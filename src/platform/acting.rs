//! Administrators on the ordinary routes, for an organisation that they name.

use anyhow::Context as _;
use axum::http::request::Parts;

use super::audit::{Asked, Note};
use super::extract::{Operator, forbidden};
use super::policy;
use crate::app::App;
use crate::error::Result;
use crate::http::extract::{Member, Standing};
use crate::http::meter::GenuineAdministrator;
use crate::http::{log, tenant};
use crate::types::Role;

/// Who acts for an organisation, where the request's token is an administrator's: as its admin would, within
/// [`policy`]. Each such request is in the audit, and what it changes in the organisation's log, as theirs.
pub(crate) async fn act(parts: &mut Parts, app: &App) -> Result<Option<Member>> {
    if parts.extensions.get::<GenuineAdministrator>().is_none() {
        return Ok(None);
    }
    let operator = Operator::identify(parts, app).await?;
    let org = tenant::load_named(app, &parts.headers).await?;
    let note = parts.extensions.get::<Note>().context("a request without its note")?;
    let asked = parts.extensions.get::<Asked>().context("a request that nobody described")?;
    note.about(org);
    if !policy::allows_acting(operator.role, &asked.method, &asked.route) {
        return Err(forbidden(operator.role));
    }
    note.begin(app, asked).await?;
    let actor = operator.to_actor();
    log::record_caller(org, actor.id);
    Ok(Some(Member {
        org,
        user: actor.id,
        session: operator.session,
        role: Role::Admin,
        name: actor.name,
        standing: Standing::Administrator,
        client: operator.client,
    }))
}
