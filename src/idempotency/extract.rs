//! What a handler takes from a request that may carry a key.

use anyhow::Context as _;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName};
use http_body_util::BodyExt as _;

use super::claim::{RequestHash, hash};
use super::model::IdempotencyKey;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::{FromFields, ValidJson};

/// The header that carries a key.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The header as it is called where people read it.
const NAME: &str = "Idempotency-Key";

/// A request that carries a key, and what of it must be the same for it to be the same request.
#[derive(Debug, Clone)]
pub struct KeyedRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) key: IdempotencyKey,
    pub(super) hash: RequestHash,
}

/// A JSON body as of [`ValidJson`], and the key that came with it, if one did. 422 with the wrong fields of
/// both.
#[derive(Debug)]
pub(crate) struct IdempotentJson<T>(pub(crate) Option<KeyedRequest>, pub(crate) T);

impl<T: FromFields> FromRequest<App> for IdempotentJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (parts, body) = request.into_parts();
        // The middleware has it in memory and has bounded it.
        let body = body.collect().await.context("a body that was read before")?.to_bytes();
        let key = read_key(&parts.headers).map(|key| {
            key.map(|key| KeyedRequest {
                method: parts.method.to_string(),
                // Below the prefix under which the API is mounted, which the router has taken off.
                path: parts.uri.path().to_owned(),
                key,
                hash: hash(&body),
            })
        });
        let body = ValidJson::from_request(Request::from_parts(parts, body.into()), app).await;
        match (key, body) {
            (Ok(key), Ok(ValidJson(body))) => Ok(Self(key, body)),
            (Err(Error::Invalid(of_key)), Err(Error::Invalid(of_body))) => {
                Err(Error::Invalid([of_key, of_body].concat()))
            }
            (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
        }
    }
}

/// The key of a request, if it carries one. Fails unless it is one good key.
pub(crate) fn read_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Error::invalid(NAME, "must be given once"));
    }
    // What is not ASCII is no text to `to_str`, and the empty text is no key.
    let text = value.to_str().unwrap_or_default().to_owned();
    let key = IdempotencyKey::try_from(text).map_err(|error| Error::invalid(NAME, error.to_string()))?;
    Ok(Some(key))
}

/// The header, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header in the OpenAPI document; it is never made")]
pub(crate) struct IdempotencyParams {
    /// Names this request, so that it can be sent again without being done twice: within 24 hours the same
    /// key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
    /// another body it fails with `idempotency_key_reused`, and while the first is still running with
    /// `idempotency_in_progress`.
    #[param(rename = "Idempotency-Key", value_type = String, required = false, min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
}
