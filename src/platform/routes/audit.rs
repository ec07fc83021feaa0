//! What the platform's administrators did.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::{Page, ValidQuery};
use crate::platform::extract::Operator;
use crate::platform::policy::Permission;
use crate::platform::queries;
use crate::platform::wire::{AuditEntryBody, AuditParams, AuditQuery};
use crate::read;

/// The audit, the newest first.
///
/// Every call of a platform administrator, and up to a bound what others caused: sign-ins that failed, and requests
/// that named another organisation than their token was for. What may change something is in it twice: as it began,
/// with no `status`, and as it ended; both have its `requestId`. For `super_admin` and `support`.
#[utoipa::path(get, path = "/platform/audit", tag = "platform", params(AuditParams), security(("administrator" = [])),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntryBody>), Problems))]
pub(crate) async fn list_audit(
    State(app): State<App>,
    operator: Operator,
    ValidQuery(query): ValidQuery<AuditQuery>,
) -> Result<Json<Page<AuditEntryBody>>> {
    operator.require(Permission::ReadAudit)?;
    let entries = read!(app.db.central(), |conn| Ok(queries::audit::list(conn, &query).await?))?;
    let page = Page::new(entries, query.limit, |entry| entry.id.to_string());
    Ok(Json(page.map(AuditEntryBody::from)))
}
