//! The OpenAPI document. Its paths come from the handlers.

use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, RefOr, Schema};
use utoipa::{Modify, OpenApi};

/// The document without its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Roomcast",
        description = "A self-hosted, multi-tenant, real-time notification hub. Every action is written to the \
                       organisation's activity log first; the log is what members see live at `/ws`, replay \
                       after a reconnect, and read as a feed.\n\n\
                       Requests are limited: by user and organisation where signed in, by session for refresh, \
                       `GET /auth/me` and logout, else by address; attempts to get in also by address and by \
                       account. The headers `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds \
                       until all of it is there again) tell of the limit that binds tightest. Over one, the answer is \
                       429 with the code `rate_limited` and `Retry-After` in seconds.",
    ),
    servers((url = "/api/v1"), (url = "/api")),
    components(schemas(crate::error::Problem, crate::error::FieldError)),
    modifiers(&Bearer),
    tags(
        (name = "auth", description = "Sign-up, sign-in, sessions"),
        (name = "organisations", description = "The organisation, its plan, broadcasts"),
        (name = "users", description = "Members and invites"),
        (name = "activities", description = "The activity log"),
        (name = "platform", description = "Whoever runs the platform: administrators, organisations, the audit"),
    )
)]
pub struct Document;

/// Says of every body that it has no fields but its own, which holds for all of them: [`Fields`] refuses others.
///
/// [`Fields`]: crate::http::Fields
pub fn close_bodies(document: &mut utoipa::openapi::OpenApi) {
    let mut bodies = Vec::new();
    for item in document.paths.paths.values() {
        for operation in [&item.post, &item.put, &item.patch, &item.delete].into_iter().flatten() {
            let Some(RefOr::T(body)) = &operation.request_body else { continue };
            for content in body.content.values() {
                if let RefOr::T(Content { schema: Some(RefOr::Ref(body)), .. }) = content {
                    bodies.extend(body.ref_location.rsplit('/').next().map(str::to_owned));
                }
            }
        }
    }
    let Some(components) = &mut document.components else { return };
    for body in bodies {
        if let Some(RefOr::T(schema)) = components.schemas.get_mut(&body) {
            close(schema);
        }
    }
}

/// Closes an object, or each of several alternatives.
fn close(schema: &mut Schema) {
    match schema {
        Schema::Object(object) => {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
        Schema::OneOf(alternatives) => {
            for alternative in &mut alternatives.items {
                if let RefOr::T(alternative) = alternative {
                    close(alternative);
                }
            }
        }
        _ => {}
    }
}

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme.clone()));
        let mut administrator = scheme;
        administrator.description = Some(
            "The access token of a platform administrator, from `POST /platform/auth/login`.".to_owned(),
        );
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("administrator", SecurityScheme::Http(administrator));
    }
}
