//! What a request under a key asks of the key's row, and what the row says.

use anyhow::Context as _;
use axum::http::StatusCode;
use sha2::{Digest as _, Sha256};

use super::LIFETIME;
use super::answer::Answer;
use super::model::{Encoding, KeyRow, Scope};
use super::seal::SealKeys;
use crate::error::{Code, Error, Result};
use crate::types::{ReservedId, Timestamp};

/// The hash of a request's body.
pub(super) type RequestHash = [u8; 32];

/// The hash of a body as it was sent.
pub(super) fn hash(body: &[u8]) -> RequestHash {
    Sha256::digest(body).into()
}

/// A request under a key.
#[derive(Debug, Clone)]
pub struct Claim {
    scope: Scope,
    request_hash: RequestHash,
    at: Timestamp,
    seals: SealKeys,
}

/// What a key's row says of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nobody has done it. An attempt that never ended may have reserved an id for what it makes.
    Fresh(Option<ReservedId>),
    /// It was done, and this was answered.
    Again(Answer),
}

impl Claim {
    /// A request with this body, made `at` this time.
    pub fn new(scope: Scope, body: &[u8], at: Timestamp, seals: SealKeys) -> Self {
        Self::hashed(scope, hash(body), at, seals)
    }

    pub(super) fn hashed(scope: Scope, request_hash: RequestHash, at: Timestamp, seals: SealKeys) -> Self {
        Self { scope, request_hash, at, seals }
    }

    /// What its key counts for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn request_hash(&self) -> &RequestHash {
        &self.request_hash
    }

    /// Decides by the key's row, if it has one. Fails with `idempotency_key_reused` or
    /// `idempotency_answer_lost`.
    pub(super) fn judge(&self, row: Option<&KeyRow>) -> Result<Judged> {
        let Some(row) = row.filter(|row| row.expires_at > self.at) else {
            return Ok(Judged::Fresh(None));
        };
        if row.request_hash != self.request_hash {
            return Err(key_reused());
        }
        let (Some(status), Some(encoding), Some(body)) = (row.status, row.encoding, &row.body) else {
            return Ok(Judged::Fresh(row.reserved_id));
        };
        let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.context("a kept answer has no HTTP status")?;
        let body = match encoding {
            Encoding::Plain => body.clone(),
            Encoding::Sealed => self.seals.open(&self.scope.to_bytes(), body).ok_or_else(answer_lost)?,
        };
        Ok(Judged::Again(Answer::replayed(status, body)))
    }

    /// The row that keeps an answer.
    pub(super) fn answered(&self, answer: &Answer, encoding: Encoding) -> Result<KeyRow> {
        let body = match encoding {
            Encoding::Plain => answer.body.to_vec(),
            Encoding::Sealed => self.seals.seal(&self.scope.to_bytes(), &answer.body)?,
        };
        Ok(KeyRow {
            status: Some(answer.status.as_u16().into()),
            encoding: Some(encoding),
            body: Some(body),
            ..self.reserving(None)
        })
    }

    /// The row that only reserves an id.
    pub(super) fn reserving(&self, reserved_id: Option<ReservedId>) -> KeyRow {
        KeyRow {
            org_id: self.scope.org,
            user_id: self.scope.user,
            method: self.scope.method.clone(),
            path: self.scope.path.clone(),
            key: self.scope.key.clone(),
            request_hash: self.request_hash.to_vec(),
            reserved_id,
            status: None,
            encoding: None,
            body: None,
            created_at: self.at,
            expires_at: self.at.plus(LIFETIME),
        }
    }
}

/// The key was used with another body.
pub(super) fn key_reused() -> Error {
    Error::refused(
        Code::IdempotencyKeyReused,
        "This Idempotency-Key was used with another body within 24 hours: take another key.",
    )
}

/// The first request is still running.
pub(super) fn in_progress() -> Error {
    Error::refused(
        Code::IdempotencyInProgress,
        "A request with this Idempotency-Key is still running. Try again shortly.",
    )
}

/// The first answer cannot be read any more.
fn answer_lost() -> Error {
    Error::refused(
        Code::IdempotencyAnswerLost,
        "This was done before, and its answer was encrypted with a signing key that the hub no longer has. \
         It is not done again: look at what is there.",
    )
}
