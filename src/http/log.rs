//! The span of a request, which its log lines carry.

use tracing::Span;
use tracing::field::Empty;

use crate::types::{OrgId, UserId};

/// The span of a request. The path is logged without its query, where a socket's token may stand. As severe as any
/// line: with `RUST_LOG=error`, too, lines say for whom they are.
pub fn span(id: &str, method: &axum::http::Method, path: &str) -> Span {
    tracing::error_span!(
        "request",
        request.id = id,
        http.method = %method,
        http.path = path,
        organisation.id = Empty,
        user.id = Empty,
    )
}

/// Notes in the present request's span for which organisation it is, where nobody is signed in yet.
pub fn record_organisation(org: OrgId) {
    Span::current().record("organisation.id", tracing::field::display(org));
}

/// Notes in the present request's span who is asking, once that is known.
pub fn record_caller(org: OrgId, user: UserId) {
    let span = Span::current();
    span.record("organisation.id", tracing::field::display(org));
    span.record("user.id", tracing::field::display(user));
}
