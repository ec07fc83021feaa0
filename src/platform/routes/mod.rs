//! The routes under `/platform`, and `POST /orgs`.

mod administrators;
mod audit;
mod auth;
mod credits;
mod organisations;

use axum::middleware::map_response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::no_store;

/// The routes of this feature.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(auth::platform_login))
        .routes(routes!(auth::platform_refresh))
        .routes(routes!(auth::platform_logout))
        .routes(routes!(auth::get_platform_me))
        .routes(routes!(administrators::list_administrators, administrators::create_administrator))
        .routes(routes!(administrators::update_administrator))
        .routes(routes!(organisations::list_platform_organisations, organisations::found_organisation))
        .routes(routes!(organisations::create_org))
        .routes(routes!(organisations::get_platform_organisation, organisations::change_organisation))
        .routes(routes!(organisations::suspend_organisation))
        .routes(routes!(organisations::resume_organisation))
        .routes(routes!(organisations::reissue_sign_up))
        .routes(routes!(credits::get_organisation_credits, credits::change_organisation_credits))
        .routes(routes!(credits::list_message_totals))
        .routes(routes!(audit::list_audit))
        .layer(map_response(no_store))
}
