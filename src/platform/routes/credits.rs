//! Credits and messages, as the platform sees and changes them.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::credits::{self, ChangeCredits, CreditsBody, EntryBody, TotalsOf};
use crate::error::{Problems, Result};
use crate::http::{Page, PageParams, PageQuery, PathId, ValidQuery};
use crate::idempotency::{Answer, IdempotencyParams, IdempotentJson, Once};
use crate::platform::extract::Operator;
use crate::platform::policy::Permission;
use crate::platform::service::credits as service;
use crate::types::OrgId;

/// An organisation's credits.
///
/// For every administrator.
#[utoipa::path(get, path = "/platform/organisations/{id}/credits", tag = "platform",
    params(("id" = OrgId, Path, description = "The organisation")), security(("administrator" = [])),
    responses((status = 200, description = "What may be spent", body = CreditsBody), Problems))]
pub(crate) async fn get_organisation_credits(
    State(app): State<App>,
    operator: Operator,
    PathId(org): PathId<OrgId>,
) -> Result<Json<CreditsBody>> {
    operator.require_for(Permission::ReadOrganisations, org)?;
    Ok(Json(credits::service::load(&app, org).await?.into()))
}

/// Change an organisation's credits.
///
/// A top-up adds some, an adjustment adds or takes away. It is an entry of the ledger, with the reason, of which the
/// organisation's admins are told by `CREDITS_CHANGED`. For `super_admin` and `billing`. Fails with
/// `insufficient_credits` where more is to be taken away than there is.
#[utoipa::path(post, path = "/platform/organisations/{id}/credits", tag = "platform", request_body = ChangeCredits,
    params(("id" = OrgId, Path, description = "The organisation"), IdempotencyParams),
    security(("administrator" = [])),
    responses((status = 201, description = "The entry", body = EntryBody), Problems))]
pub(crate) async fn change_organisation_credits(
    State(app): State<App>,
    operator: Operator,
    PathId(org): PathId<OrgId>,
    IdempotentJson(key, body): IdempotentJson<ChangeCredits>,
) -> Result<Answer> {
    operator.require_for(Permission::ChangeCredits, org)?;
    let once = Once::begin_as_administrator(&app, operator.id, key)?;
    let outcome = service::change(&app, &operator, org, body, &once).await;
    once.finish(outcome).await
}

/// How many messages of each organisation stand where.
///
/// By channel and status; `QUEUED` are those on their way. Organisations that have sent none are left out. For every
/// administrator.
#[utoipa::path(get, path = "/platform/messages/totals", tag = "platform", params(PageParams),
    security(("administrator" = [])),
    responses((status = 200, description = "A page of organisations", body = Page<TotalsOf>), Problems))]
pub(crate) async fn list_message_totals(
    State(app): State<App>,
    operator: Operator,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Json<Page<TotalsOf>>> {
    operator.require(Permission::ReadOrganisations)?;
    Ok(Json(service::list_totals(&app, &query).await?))
}
