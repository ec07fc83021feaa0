//! What can go wrong between us and the database.

use diesel::result::{DatabaseErrorKind, Error as QueryError};

/// A failure of the database, or of reaching it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection could be had: the server is away, or all are in use for too long.
    #[error("no connection to the database: {0}")]
    Unreachable(String),
    /// The database answered a query with an error.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The connection was lost while it committed: the transaction happened or it did not.
    #[error("the connection was lost while committing, the outcome is unknown: {0}")]
    OutcomeUnknown(QueryError),
}

impl DbError {
    /// Whether the database is away or too busy, so that a later attempt may succeed.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Query(error) => is_unavailable(error),
            Self::OutcomeUnknown(_) => false,
        }
    }
}

/// Whether a query failed because the connection is gone, a lock was not had in time, or the store is
/// full, rather than because of what it asked.
fn is_unavailable(error: &QueryError) -> bool {
    match error {
        QueryError::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction => true,
            // Neither database hands its own code through diesel for these.
            _ => {
                let message = information.message();
                [
                    "database is locked",
                    "database or disk is full",
                    "disk I/O error",
                    "unable to open database file",
                    "canceling statement due to lock timeout",
                    "terminating connection",
                    "the database system is",
                    "connection closed",
                    "too many clients",
                    "could not extend file",
                    "No space left on device",
                ]
                .iter()
                .any(|known| message.contains(known))
            }
        },
        QueryError::BrokenTransactionManager => true,
        _ => false,
    }
}

/// Whether a failed COMMIT may have happened all the same: the server did not say.
pub(super) fn commit_outcome_is_unknown(error: &QueryError) -> bool {
    match error {
        QueryError::DatabaseError(kind, information) => {
            matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand)
                || information.message().contains("connection closed")
                || information.message().contains("terminating connection")
        }
        _ => false,
    }
}
