//! Managing administrators.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Page, PageParams, PageQuery, PathId, ValidJson, ValidQuery};
use crate::idempotency::{Answer, Claimed, IdempotencyParams, IdempotentJson, Once};
use crate::platform::extract::Operator;
use crate::platform::policy::Permission;
use crate::platform::service::administrators as service;
use crate::platform::wire::{AdministratorBody, CreateAdministrator, UpdateAdministrator};
use crate::transaction;
use crate::types::AdministratorId;

/// The platform's administrators.
///
/// For `super_admin`.
#[utoipa::path(get, path = "/platform/administrators", tag = "platform", params(PageParams),
    security(("administrator" = [])),
    responses((status = 200, description = "A page of them", body = Page<AdministratorBody>), Problems))]
pub(crate) async fn list_administrators(
    State(app): State<App>,
    operator: Operator,
    ValidQuery(query): ValidQuery<PageQuery>,
) -> Result<Json<Page<AdministratorBody>>> {
    operator.require(Permission::ManageAdministrators)?;
    let after = query.after.map_or(AdministratorId::NIL, Into::into);
    let found = service::list(&app.db, after, query.limit + 1).await?;
    let page = Page::new(found, query.limit, |administrator| administrator.id.to_string());
    Ok(Json(page.map(AdministratorBody::from)))
}

/// Make an administrator.
///
/// For `super_admin`. Fails with `email_taken`.
#[utoipa::path(post, path = "/platform/administrators", tag = "platform", request_body = CreateAdministrator,
    params(IdempotencyParams), security(("administrator" = [])),
    responses((status = 201, description = "They can sign in", body = AdministratorBody), Problems))]
pub(crate) async fn create_administrator(
    State(app): State<App>,
    operator: Operator,
    IdempotentJson(key, body): IdempotentJson<CreateAdministrator>,
) -> Result<Answer> {
    operator.require(Permission::ManageAdministrators)?;
    let once = Once::begin_as_administrator(&app, operator.id, key)?;
    let outcome = create(&app, body, &once).await;
    once.finish(outcome).await
}

async fn create(app: &App, body: CreateAdministrator, once: &Once) -> Result<Answer> {
    let administrator = service::prepare(&app.hasher, body.into(), app.clock.now()).await?;
    transaction!(app.db.central(), |tx| {
        let fresh = match once.claim(tx).await? {
            Claimed::Fresh(fresh) => fresh,
            Claimed::Again(answer) => return Ok(answer),
        };
        service::insert(tx, &administrator).await?;
        fresh.keep(tx, Answer::created(&AdministratorBody::from(administrator))?).await
    })
}

/// Change an administrator's role, or disable them.
///
/// Who is disabled is signed out everywhere at once. For `super_admin`. Fails with `last_super_admin`.
#[utoipa::path(patch, path = "/platform/administrators/{id}", tag = "platform",
    request_body = UpdateAdministrator,
    params(("id" = AdministratorId, Path, description = "The administrator")), security(("administrator" = [])),
    responses((status = 200, description = "As they are now", body = AdministratorBody), Problems))]
pub(crate) async fn update_administrator(
    State(app): State<App>,
    operator: Operator,
    PathId(id): PathId<AdministratorId>,
    ValidJson(body): ValidJson<UpdateAdministrator>,
) -> Result<Json<AdministratorBody>> {
    operator.require(Permission::ManageAdministrators)?;
    let administrator = service::change(&app.db, id, body.into(), app.clock.now()).await?;
    Ok(Json(administrator.into()))
}
