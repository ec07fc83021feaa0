//! `GET /organisations/presence`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::{Problems, Result};
use crate::http::Member;
use crate::types::{Timestamp, UserId};

/// The routes of presence.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_presence))
}

/// Who is online.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Presence {
    items: Vec<PresentUser>,
    /// Whether that is everybody on all nodes. False while nodes cannot tell each other who is online: some
    /// may then be missing, and nobody is taken for gone.
    complete: bool,
}

/// A user who is online.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresentUser {
    user_id: UserId,
    name: String,
    /// When the user came online. Who comes back within five seconds has not been away.
    since: Timestamp,
    /// How many sockets and streams the user has open on all nodes; 0 for somebody who left within the last
    /// seconds and may come back.
    #[schema(minimum = 0, example = 1)]
    sockets: u64,
}

/// Who is online in the organisation.
///
/// In the order in which they came online.
#[utoipa::path(get, path = "/organisations/presence", tag = "organisations", security(("bearer" = [])),
    responses((status = 200, description = "Who is online", body = Presence), Problems))]
pub(crate) async fn list_presence(State(app): State<App>, member: Member) -> Result<Json<Presence>> {
    let online = app.hub.online(member.org).await?;
    let items = online.users.into_iter().map(|(online, name)| PresentUser {
        user_id: online.user,
        name,
        since: online.since,
        sockets: online.sockets,
    });
    Ok(Json(Presence { items: items.collect(), complete: online.complete }))
}
