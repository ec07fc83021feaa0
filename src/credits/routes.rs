//! `GET /credits` and the ledger.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::wire::{CreditsBody, EntriesParams, EntriesQuery, EntryBody};
use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Admin, Member, Page, ValidQuery};

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_credits)).routes(routes!(list_credit_entries))
}

/// The organisation's credits.
#[utoipa::path(get, path = "/credits", tag = "messages", security(("bearer" = [])),
    responses((status = 200, description = "What may be spent", body = CreditsBody), Problems))]
pub(crate) async fn get_credits(State(app): State<App>, member: Member) -> Result<Json<CreditsBody>> {
    Ok(Json(service::load(&app, member.org).await?.into()))
}

/// The ledger, the newest entries first.
///
/// For admins. The balance is the sum of all amounts.
#[utoipa::path(get, path = "/credits/entries", tag = "messages", params(EntriesParams), security(("bearer" = [])),
    responses((status = 200, description = "A page of entries", body = Page<EntryBody>), Problems))]
pub(crate) async fn list_credit_entries(
    State(app): State<App>,
    admin: Admin,
    ValidQuery(query): ValidQuery<EntriesQuery>,
) -> Result<Json<Page<EntryBody>>> {
    let page = service::list_entries(&app, admin.org, query.before, query.limit).await?;
    Ok(Json(page.map(EntryBody::from)))
}
