//! What operators ask: is the process up, is it ready, what does it count.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::app::App;
use crate::auth::TokenHash;
use crate::db::MigrationState;
use crate::error::{Code, Error, Result};
use crate::http::extract::bearer;
use crate::hub::bus::BusState;

/// How long the database may take to answer before the hub is not ready.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// `/healthz`, `/readyz` and `/metrics`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
}

/// The process is up.
async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Whether it may be sent requests: the database answers, its migrations are applied, and no stop is
/// under way. A bus that is down is told, and no reason to send requests elsewhere.
async fn readyz(State(app): State<App>) -> Response {
    let (database, migrations) = match tokio::time::timeout(DATABASE_TIMEOUT, ask_database(&app)).await {
        Ok(Ok(MigrationState::Current)) => ("ok", "ok"),
        Ok(Ok(MigrationState::Pending(_))) => ("ok", "migrations_pending"),
        Ok(Err(error)) => {
            tracing::warn!(error = format!("{error:#}"), "not ready: the database does not answer");
            ("unavailable", "unknown")
        }
        Err(_) => {
            tracing::warn!("not ready: the database does not answer in {} s", DATABASE_TIMEOUT.as_secs());
            ("unavailable", "unknown")
        }
    };
    // The hub goes on without its bus: what other nodes commit is then found by the sweep.
    let (kind, bus) = (app.config.bus_kind(), app.hub.bus_state());
    let status = match (app.stop.is_cancelled(), database, migrations) {
        (true, ..) => "draining",
        (false, "ok", "ok") if bus == BusState::Down => "degraded",
        (false, "ok", "ok") => "ready",
        (false, "ok", migrations) => migrations,
        (false, database, _) => database,
    };
    let is_ready = matches!(status, "ready" | "degraded");
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let engine = app.db.engine();
    let body = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "commit": crate::COMMIT,
        "database": {
            "engine": engine.name(),
            "durability": engine.durability(),
            "status": database,
            "migrations": migrations,
        },
        "bus": { "kind": kind, "status": if bus == BusState::Up { "ok" } else { "down" } },
    });
    (code, Json(body)).into_response()
}

/// Whether the database answers and is migrated. Migrations that were applied once stay so, and are not
/// asked for again.
async fn ask_database(app: &App) -> anyhow::Result<MigrationState> {
    if app.migrated.get().is_some() {
        app.db.ping().await?;
        return Ok(MigrationState::Current);
    }
    let state = app.db.migration_state().await?;
    if state == MigrationState::Current {
        app.db.require_role().await?;
        app.migrated.get_or_init(|| ());
    }
    Ok(state)
}

/// Everything counted, in Prometheus' text format. 401 `token_invalid` without the token, where one is set.
async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    if let Some(expected) = &app.config.telemetry.metrics_token {
        let given = bearer(&headers).map(|token| TokenHash::of(token.as_bytes()));
        // Hashes are compared, so that neither length nor content is told by the time it takes.
        let expected = TokenHash::of(expected.reveal().as_bytes()).to_vec();
        if !given.is_some_and(|given| given.matches(&expected)) {
            let detail = "Send the token of METRICS_TOKEN: Authorization: Bearer <token>.";
            return Err(Error::refused(Code::TokenInvalid, detail));
        }
    }
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((headers, app.metrics.render()).into_response())
}
