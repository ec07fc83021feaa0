//! The OpenAPI document. Its paths come from the handlers.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
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
    )
)]
pub struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}
