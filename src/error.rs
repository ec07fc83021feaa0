//! What a request can fail with: one closed enum, one stable code and one status for each.
//!
//! A failure is answered as `application/problem+json` (RFC 9457). What went wrong inside is logged once,
//! with the request's id, and not told.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::db::{DbError, Unavailable};
use crate::limits::Refusal;

/// The result of what a request asks for.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is understood and refused, for a reason that its sender may know.
    #[error("{detail}")]
    Refused {
        /// What clients match on.
        code: Code,
        /// The reason, for people.
        detail: String,
    },
    /// Fields of the request are not acceptable; all of them are named.
    #[error("invalid fields")]
    Invalid(Vec<FieldError>),
    /// The request is over a limit.
    #[error("over the limit {:?}", .0.limit)]
    Limited(Refusal),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A fault of ours.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// A field that is not acceptable, and what was expected of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field's name in the body or the query, dotted where it is inside another.
    pub field: String,
    /// What was expected, for people.
    pub message: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// The stable code of a failure, which clients match on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// The code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it is called, for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    MalformedJson = "malformed_json", BAD_REQUEST, "Malformed JSON";
    /// The request cannot be understood.
    BadRequest = "bad_request", BAD_REQUEST, "Bad request";
    /// No token, or one that is not ours, was tampered with or has expired.
    TokenInvalid = "token_invalid", UNAUTHORIZED, "Not signed in";
    /// The session of the token has ended, or its user was removed.
    SessionEnded = "session_ended", UNAUTHORIZED, "The session has ended";
    /// Email or password is wrong.
    CredentialsInvalid = "credentials_invalid", UNAUTHORIZED, "Wrong email or password";
    /// The refresh token is unknown, expired or was replaced.
    RefreshTokenInvalid = "refresh_token_invalid", UNAUTHORIZED, "The refresh token is not valid";
    /// The refresh token was used before; its session has ended.
    RefreshTokenReused = "refresh_token_reused", UNAUTHORIZED, "The refresh token was used before";
    /// The organisation has fewer credits than this costs.
    InsufficientCredits = "insufficient_credits", PAYMENT_REQUIRED, "Not enough credits";
    /// The caller's role does not allow this.
    RoleForbidden = "role_forbidden", FORBIDDEN, "Not allowed for this role";
    /// The account is in no organisation, or not in the one asked for.
    NoMembership = "no_membership", FORBIDDEN, "No membership";
    /// The plan's seats are taken.
    MemberLimitReached = "member_limit_reached", FORBIDDEN, "Member limit reached";
    /// Organisations are made by platform administrators only.
    RegistrationClosed = "registration_closed", FORBIDDEN, "Registration is closed";
    /// A platform administrator has closed the organisation.
    OrganisationSuspended = "organisation_suspended", FORBIDDEN, "The organisation is suspended";
    /// The organisation that a header names is not the one that the credential is for.
    TenantMismatch = "tenant_mismatch", FORBIDDEN, "Another organisation than the credential's";
    /// It does not exist, or not in the caller's organisation.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The invite token names no invite that stands.
    InviteInvalid = "invite_invalid", NOT_FOUND, "The invite is not valid";
    /// The sign-up token names no sign-up that stands.
    SignUpInvalid = "sign_up_invalid", NOT_FOUND, "The sign-up is not valid";
    /// The path does not take this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// An account with this email exists.
    EmailTaken = "email_taken", CONFLICT, "The email is taken";
    /// The person is a member already.
    AlreadyMember = "already_member", CONFLICT, "Already a member";
    /// The invite was used before.
    InviteUsed = "invite_used", CONFLICT, "The invite was used";
    /// The sign-up was used before.
    SignUpUsed = "sign_up_used", CONFLICT, "The sign-up was used";
    /// The organisation has members: nobody signs up as its first.
    AlreadySignedUp = "already_signed_up", CONFLICT, "There is an admin already";
    /// Another organisation has this slug.
    SlugTaken = "slug_taken", CONFLICT, "The slug is taken";
    /// The platform would be left without a super administrator.
    LastSuperAdmin = "last_super_admin", CONFLICT, "The last super administrator";
    /// The organisation has that plan already.
    PlanUnchanged = "plan_unchanged", CONFLICT, "The plan is unchanged";
    /// The message is being sent, or has ended.
    MessageNotCancellable = "message_not_cancellable", CONFLICT, "The message cannot be cancelled any more";
    /// The organisation would be left without an admin.
    LastAdmin = "last_admin", CONFLICT, "The last admin";
    /// A way to a new password is not valid, was used, or has expired.
    ResetTokenInvalid = "reset_token_invalid", NOT_FOUND, "Not valid any more";
    /// The hub sends no emails.
    MailNotConfigured = "mail_not_configured", FORBIDDEN, "The hub sends no emails";
    /// A request with the same idempotency key is still being answered.
    IdempotencyInProgress = "idempotency_in_progress", CONFLICT, "The first request is still running";
    /// What the idempotency key's request was answered cannot be shown again: it is sealed with a key that
    /// this hub does not have.
    IdempotencyAnswerLost = "idempotency_answer_lost", CONFLICT, "The first answer cannot be read any more";
    /// The invite has expired.
    InviteExpired = "invite_expired", GONE, "The invite has expired";
    /// The sign-up has expired.
    SignUpExpired = "sign_up_expired", GONE, "The sign-up has expired";
    /// The body is larger than the server takes.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not declared as JSON.
    NotJson = "not_json", UNSUPPORTED_MEDIA_TYPE, "Not JSON";
    /// The WebSocket version is not ours.
    UpgradeRequired = "upgrade_required", UPGRADE_REQUIRED, "Upgrade required";
    /// Fields are not acceptable.
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, "Invalid fields";
    /// The idempotency key was used with another body.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The idempotency key was used before";
    /// The caller is over a limit.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// More is waiting than the hub, or this organisation's share of it, takes.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Overloaded";
    /// The database cannot be reached now.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The database is not available";
    /// The organisation's own store cannot be used now.
    TenantUnavailable = "tenant_unavailable", SERVICE_UNAVAILABLE, "The organisation is not available";
    /// The connection was lost while committing: it happened, or it did not.
    OutcomeUnknown = "outcome_unknown", SERVICE_UNAVAILABLE, "The outcome is unknown";
    /// The node does not know well enough who may enter.
    AccessUnknown = "access_unknown", SERVICE_UNAVAILABLE, "Access cannot be checked now";
    /// The node is shutting down.
    Draining = "draining", SERVICE_UNAVAILABLE, "The node is going away";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
}

impl Error {
    /// Refuses with `code`, for a reason that the sender may know.
    pub fn refused(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused { code, detail: detail.into() }
    }

    /// Refuses one field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// What does not exist, as far as this caller may know.
    pub fn not_found(what: &str) -> Self {
        Self::refused(Code::NotFound, format!("There is no such {what}."))
    }

    /// Whether the change may have happened although it failed, so that nothing may be undone for it.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::Database(DbError::OutcomeUnknown(_)))
    }

    /// What clients match on.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Invalid(_) => Code::ValidationFailed,
            Self::Limited(_) => Code::RateLimited,
            Self::Database(DbError::OutcomeUnknown(_)) => Code::OutcomeUnknown,
            Self::Database(DbError::TenantUnavailable(_)) => Code::TenantUnavailable,
            Self::Database(error) if error.is_unavailable() => Code::StoreUnavailable,
            Self::Database(_) | Self::Internal(_) => Code::Internal,
        }
    }

    fn detail(&self) -> String {
        match (self, self.code()) {
            (Self::Refused { detail, .. }, _) => detail.clone(),
            (Self::Invalid(fields), _) => {
                let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
                format!("Not acceptable: {}.", names.join(", "))
            }
            (Self::Limited(refusal), _) => refusal.limit.detail().to_owned(),
            (_, Code::OutcomeUnknown) => {
                "The database went away while this was stored. It may have happened: look before you repeat \
                 it."
                .to_owned()
            }
            (_, Code::TenantUnavailable) => {
                "The store of this organisation cannot be used now. Try again later.".to_owned()
            }
            (Self::Database(error), Code::StoreUnavailable) => match error.unavailable() {
                Some(Unavailable::Full) => "The database has no room left to store this. Try again later.",
                Some(Unavailable::ReadOnly) => "The database takes no changes now. Try again later.",
                Some(Unavailable::Faulty) => "The database cannot use its disk now. Try again later.",
                Some(Unavailable::Away) | None => "The database cannot be reached now. Try again shortly.",
            }
            .to_owned(),
            _ => "Something went wrong on our side. Quote the request id when you report it.".to_owned(),
        }
    }

    /// Logs what the sender is not told.
    fn log(&self) {
        match self {
            Self::Refused { .. } | Self::Invalid(_) | Self::Limited(_) => {}
            Self::Database(error) if error.is_unavailable() => {
                tracing::warn!(error = %error, "the database is not available to a request");
            }
            Self::Database(error @ DbError::OutcomeUnknown(_)) => {
                tracing::warn!(error = %error, "nobody knows whether a request's change was committed");
            }
            Self::Database(error) => tracing::error!(error = %error, "a request failed in the database"),
            Self::Internal(error) => tracing::error!(error = format!("{error:#}"), "a request failed"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Limited(refusal)
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(DbError::Query(error))
    }
}

/// Names a failure that is dropped on purpose, where what was asked for does not depend on it.
pub trait LogFailure {
    /// Logs the failure of `what`, if it is one, and goes on.
    fn log_failure(self, what: &'static str);
}

impl<T> LogFailure for Result<T> {
    fn log_failure(self, what: &'static str) {
        if let Err(error) = self {
            let cause = match &error {
                Error::Internal(cause) => format!("{cause:#}"),
                Error::Refused { .. } | Error::Invalid(_) | Error::Limited(_) | Error::Database(_) => {
                    error.to_string()
                }
            };
            tracing::warn!(error = cause, "could not {what}");
        }
    }
}

/// The organisation is suspended.
pub(crate) fn suspended() -> Error {
    Error::refused(
        Code::OrganisationSuspended,
        "The organisation is suspended: ask whoever runs this platform.",
    )
}

/// Which refusal a response is, for whoever looks at it on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered(pub(crate) Code);

/// How every operation may fail, for the OpenAPI document.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers; it is never made")]
pub(crate) enum Problems {
    /// The request is refused; `code` says why.
    #[response(status = "4XX", content_type = "application/problem+json")]
    Client(Problem),
    /// The server cannot answer it now; `code` says why.
    #[response(status = "5XX", content_type = "application/problem+json")]
    Server(Problem),
}

/// The body of every failure (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Always `about:blank`: `code` says which problem it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// What the problem is called, for people.
    #[schema(example = "Member limit reached")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 403)]
    status: u16,
    /// What exactly is wrong, for people.
    detail: String,
    /// What clients match on; it does not change.
    #[schema(example = "member_limit_reached")]
    code: &'static str,
    /// The id of the request, as in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The fields that are not acceptable, where that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl Problem {
    /// What the present request is told of a failure.
    pub(crate) fn of(error: &Error) -> Self {
        let code = error.code();
        Self {
            kind: "about:blank",
            title: code.title(),
            status: code.status().as_u16(),
            detail: error.detail(),
            code: code.as_str(),
            request_id: crate::http::request_id::current(),
            errors: match error {
                Error::Invalid(fields) => fields.clone(),
                Error::Refused { .. } | Error::Limited(_) | Error::Database(_) | Error::Internal(_) => {
                    Vec::new()
                }
            },
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let code = self.code();
        crate::telemetry::metric::rejected(code.as_str());
        let status = code.status();
        let mut response = (status, Json(Problem::of(&self))).into_response();
        response.extensions_mut().insert(Answered(code));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Self::Limited(refusal) = &self {
            crate::http::meter::tell_refusal(headers, refusal);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE || code == Code::IdempotencyInProgress {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
