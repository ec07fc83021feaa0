//! An answer in the form in which it is kept: the exact bytes, so that it is the same again.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use crate::error::{Code, Error, Problem, Result};

/// The header that says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a request is answered: by what it did, or by what another with its key was answered before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    origin: AnswerOrigin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerOrigin {
    Own,
    Replayed,
}

impl Answer {
    /// 201 with this body.
    pub(crate) fn created(body: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(body).map_err(anyhow::Error::from)?;
        Ok(Self::created_json(body.into()))
    }

    /// 201 with a body that is JSON already.
    pub(crate) fn created_json(body: Bytes) -> Self {
        Self { status: StatusCode::CREATED, body, origin: AnswerOrigin::Own }
    }

    /// What a failure is answered, where that is kept: a decision about what was asked. What the hub could
    /// not do, or did not let the caller do now, may be asked again.
    pub(super) fn refusal(error: &Error) -> Result<Option<Self>> {
        let code = error.code();
        let status = code.status();
        let is_decision = match status {
            StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::GONE
            | StatusCode::UNPROCESSABLE_ENTITY => !matches!(
                code,
                // Access is decided on each request, and the last three are about the key.
                Code::RoleForbidden
                    | Code::IdempotencyKeyReused
                    | Code::IdempotencyInProgress
                    | Code::IdempotencyAnswerLost
            ),
            _ => false,
        };
        if !is_decision {
            return Ok(None);
        }
        let body = serde_json::to_vec(&Problem::of(error)).map_err(anyhow::Error::from)?;
        Ok(Some(Self { status, body: body.into(), origin: AnswerOrigin::Own }))
    }

    pub(super) fn replayed(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body: body.into(), origin: AnswerOrigin::Replayed }
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether it is that of an earlier request.
    pub fn is_replayed(&self) -> bool {
        self.origin == AnswerOrigin::Replayed
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let kind = if self.status.is_success() { "application/json" } else { "application/problem+json" };
        let is_replayed = self.is_replayed();
        let mut response = (self.status, [(header::CONTENT_TYPE, kind)], self.body).into_response();
        if is_replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
