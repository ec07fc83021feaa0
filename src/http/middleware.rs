//! The middleware around every route.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tracing::Instrument as _;

use super::{log, request_id};
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::telemetry::metric;

/// Gives the request its id and its span, counts it, and logs its end once.
pub async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let span = log::span(&id, &method, request.uri().path());
    let answered = request_id::scope(id.clone(), next.run(request)).instrument(span.clone());
    let mut response = answered.await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    // A server in front of us that was told a length, too, may have seen the request end elsewhere: what follows
    // on this connection is not to be trusted (RFC 9112, section 6.1). We are not shown that length.
    if chunked && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| {
        tracing::debug!(
            http.status = status,
            duration_ms = elapsed.as_secs_f64() * 1000.0,
            "request answered"
        );
    });
    metric::http_request(&method, route.as_deref().unwrap_or("unmatched"), status, elapsed);
    response
}

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Has the whole body before anybody is let in, so that what was allowed when a request began is not done
/// when it is no longer; then runs it on a task of its own, which a client that hangs up does not end: a
/// transaction is never left open half way.
pub async fn finish_writes(State(app): State<App>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let request = match collect_body(&app, request).await {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    let id = request_id::current().unwrap_or_default();
    let work = request_id::scope(id, next.run(request)).in_current_span();
    match app.tasks.spawn(work).await {
        Ok(response) => response,
        Err(error) => {
            Error::Internal(anyhow::Error::new(error).context("a request's task ended early")).into_response()
        }
    }
}

/// The request with its body in memory. 413 where it is too large, 400 where it does not come.
async fn collect_body(app: &App, request: Request) -> Result<Request> {
    let max = match app.config.limits.max_body_bytes {
        0 => usize::MAX,
        max => max,
    };
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, max).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, body.to_bytes().into())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Error::refused(Code::BodyTooLarge, format!("The body may have at most {max} bytes.")))
        }
        Ok(Err(_)) | Err(_) => {
            Err(Error::refused(Code::BadRequest, "The body ended or stopped before it was complete."))
        }
    }
}
