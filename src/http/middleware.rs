//! The middleware around every route.
//!
//! It is one layer, and not one for each thing that it does: axum has every layer copy all that is below it for
//! every request.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::meter::Meter;
use super::{browser, client_address, log, request_id};
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::platform::{self, Asked, Note};
use crate::telemetry::metric;

/// Puts the middleware around these routes.
pub fn layer(router: Router<App>, app: &App) -> Router<App> {
    match browser::cors(app) {
        None => router.layer(from_fn_with_state(app.clone(), around)),
        // What a browser asks in advance is answered in between.
        Some(cors) => router
            .layer(from_fn_with_state(app.clone(), inside))
            .layer(cors)
            .layer(from_fn_with_state(app.clone(), outside)),
    }
}

async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    observe(&app.clone(), request, |request| inside(State(app), request, next)).await
}

async fn outside(State(app): State<App>, request: Request, next: Next) -> Response {
    observe(&app, request, |request| next.run(request)).await
}

/// Answers, also where a handler panics.
async fn inside(State(app): State<App>, request: Request, next: Next) -> Response {
    let answered = AssertUnwindSafe(admit(&app, request, next)).catch_unwind().await;
    answered.unwrap_or_else(|_| Error::Internal(anyhow!("a handler panicked")).into_response())
}

/// Finds out where the request comes from, and runs it where no limit keeps it out.
async fn admit(app: &App, mut request: Request, next: Next) -> Response {
    let begun = client_address::resolve(app, &mut request).and_then(|()| Meter::begin(app, &mut request));
    let meter = match begun {
        Ok(meter) => meter,
        Err(refused) => return refused.into_response(),
    };
    let response = finish_writes(app, request, next).await;
    meter.finish(response)
}

/// Runs a request. What may come into the platform's audit is entered there, also where the client hangs up.
async fn run(app: App, request: Request, next: Next) -> Response {
    if !platform::is_audited(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let (note, asked) = (Note::default(), Asked::of(&parts));
    parts.extensions.insert(note.clone());
    parts.extensions.insert(asked.clone());
    let answered = next.run(Request::from_parts(parts, body)).await;
    note.end(&app, &asked, answered).await
}

/// Gives the request its id and its span, counts it, logs its end once, and tells browsers what they must not do.
async fn observe<F>(app: &App, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let started = Instant::now();
    let id = request_id::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let span = log::span(&id, &method, request.uri().path());
    let page = browser::Page::of(request.uri().path());
    let answered = request_id::scope(id.clone(), next(request)).instrument(span.clone());
    let mut response = answered.await;
    browser::protect(app, page, response.headers_mut());
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
    metric::http_request(&method, route.as_ref().map_or("unmatched", MatchedPath::as_str), status, elapsed);
    response
}

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Has the whole body before anybody is let in, so that what was allowed when a request began is not done
/// when it is no longer; then does it to its end, also for a client that hangs up: a transaction is never left
/// open half way.
async fn finish_writes(app: &App, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return run(app.clone(), request, next).await;
    }
    let request = match collect_body(app, request).await {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    let id = request_id::current().unwrap_or_default();
    let work = request_id::scope(id, run(app.clone(), request, next)).in_current_span();
    Finished { work: Some(Box::pin(work)), tasks: app.tasks.clone(), runtime: Handle::current() }.await
}

/// Work that is done to its end: on the spot as long as somebody waits for it, and then on a task of its own.
/// To begin it there would cost every request a task and two changes to it.
struct Finished<F: Future<Output: Send> + Send + 'static> {
    work: Option<Pin<Box<F>>>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl<F: Future<Output: Send> + Send + 'static> Future for Finished<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out: what has panicked is not gone on with.
        let mut work = self.work.take().expect("nobody polls what is done");
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Finished<F> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            // Its answer is for nobody. A fault of a handler that is waited for is told with its answer.
            let work = AssertUnwindSafe(work).catch_unwind();
            let work = async move {
                if work.await.is_err() {
                    tracing::error!("a handler panicked whose client had hung up");
                }
            };
            drop(self.tasks.spawn_on(work.in_current_span(), &self.runtime));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    fn finished<F: Future<Output: Send> + Send + 'static>(work: F, tasks: &TaskTracker) -> Finished<F> {
        Finished { work: Some(Box::pin(work)), tasks: tasks.clone(), runtime: Handle::current() }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_finished_on_a_task_that_a_stop_waits_for() {
        let (tasks, ends) = (TaskTracker::new(), Arc::new(AtomicU32::new(0)));
        let begin = || {
            let (go, ends) = (Arc::new(Notify::new()), Arc::clone(&ends));
            let wait = Arc::clone(&go);
            let work = async move {
                wait.notified().await;
                ends.fetch_add(1, Ordering::Relaxed)
            };
            (finished(work, &tasks), go)
        };
        let (done, go) = begin();
        go.notify_one();
        done.await;
        assert_eq!(ends.load(Ordering::Relaxed), 1);
        assert!(tasks.is_empty());

        let (new, go_new) = begin();
        drop(new);
        let (half, go_half) = begin();
        let mut half = Box::pin(half);
        assert!(futures_util::poll!(&mut half).is_pending());
        drop(half);
        assert_eq!(tasks.len(), 2);
        go_new.notify_one();
        go_half.notify_one();
        tasks.close();
        tasks.wait().await;
        assert_eq!(ends.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn what_has_panicked_is_not_gone_on_with() {
        let tasks = TaskTracker::new();
        let work = finished(async { panic!("a fault of a handler") }, &tasks);
        let caught = AssertUnwindSafe(work).catch_unwind().await;
        assert!(caught.map(|(): ()| ()).is_err());
        assert!(tasks.is_empty());
    }

    #[tokio::test]
    async fn a_panic_of_what_nobody_waits_for_is_caught() {
        let tasks = TaskTracker::new();
        drop(finished(async { panic!("a fault of a handler") }, &tasks));
        tasks.close();
        tasks.wait().await;
    }
}
