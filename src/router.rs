//! Every route, then the middleware around them, on one screen.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::app::App;
use crate::error::{Code, Error};
use crate::http::middleware;
use crate::{
    activity, auth, broadcast, credits, hub, invites, jobs, messages, operations, organisations, platform,
    sign_ups, users, web,
};

/// The API's routes and the document that describes them.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(crate::openapi::Document::openapi())
        .merge(auth::routes())
        .merge(sign_ups::routes())
        .merge(organisations::routes())
        .merge(broadcast::routes())
        .merge(users::routes())
        .merge(invites::routes())
        .merge(messages::routes())
        .merge(credits::routes())
        .merge(jobs::routes())
        .merge(activity::routes())
        .merge(hub::presence_routes())
        .merge(hub::stream_routes())
        .merge(platform::routes())
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    split().1
}

/// The routes, and the finished document.
fn split() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (api, mut document) = api().split_for_parts();
    crate::openapi::close_bodies(&mut document);
    (api, document)
}

/// The whole service.
pub fn router(app: &App) -> Router {
    let (api, document) = split();
    // Otherwise the page asks a server on the internet what it thinks of the document.
    let docs = utoipa_swagger_ui::Config::default().validator_url("none");
    let files = Router::new()
        .merge(SwaggerUi::new("/docs").config(docs).url("/openapi.json", document))
        .merge(web::routes())
        .route_layer(from_fn(name_files));
    let routes = Router::new()
        .nest("/api/v1", api.clone())
        .nest("/api", api)
        .merge(hub::routes())
        .merge(operations::routes())
        .merge(files)
        .fallback(async || no_such_path())
        .method_not_allowed_fallback(async || {
            Error::refused(Code::MethodNotAllowed, "The path does not take this method.")
        });
    middleware::layer(routes, app).with_state(app.clone())
}

fn no_such_path() -> Error {
    Error::refused(Code::NotFound, "There is no such path.")
}

/// No file has a name that is not text: axum would say 400, and in plain text.
async fn name_files(request: Request, next: Next) -> Response {
    if percent_decode_str(request.uri().path()).decode_utf8().is_err() {
        return no_such_path().into_response();
    }
    next.run(request).await
}
