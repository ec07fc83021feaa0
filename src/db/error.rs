//! What can go wrong between us and the database.

use diesel::result::{DatabaseErrorKind, Error as QueryError};

/// A failure of the database, or of reaching it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection could be had, or no answer came: the server is away, or too busy for too long.
    #[error("no connection to the database: {0}")]
    Unreachable(String),
    /// The store of this one organisation cannot be used. Others are none the worse.
    #[error("the organisation's store cannot be used: {0}")]
    TenantUnavailable(String),
    /// The database answered a query with an error.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The connection or the disk was lost while it committed: the transaction happened or it did not.
    #[error("the outcome of a commit is unknown: {0}")]
    OutcomeUnknown(QueryError),
}

/// Why the database cannot do now what it may do later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// It does not answer, or something else holds what is needed.
    Away,
    /// It has no room left.
    Full,
    /// It takes no writes.
    ReadOnly,
    /// It cannot read or write its files.
    Faulty,
}

impl DbError {
    /// Whether the database is away or too busy, so that a later attempt may succeed, and why.
    pub fn unavailable(&self) -> Option<Unavailable> {
        match self {
            Self::Unreachable(reason) | Self::TenantUnavailable(reason) => {
                Some(known(reason).unwrap_or(Unavailable::Away))
            }
            Self::Query(error) => unavailable(error),
            Self::OutcomeUnknown(_) => None,
        }
    }

    /// The same failure of somebody whose change was committed before it: it has happened, though the answer is
    /// not the one for that.
    #[must_use]
    pub fn after_the_change(self) -> Self {
        match self {
            Self::Unreachable(reason) | Self::TenantUnavailable(reason) => {
                Self::OutcomeUnknown(silence(reason))
            }
            Self::Query(error) if unavailable(&error).is_some() => Self::OutcomeUnknown(error),
            other => other,
        }
    }

    /// Whether the database is away or too busy, so that a later attempt may succeed.
    pub fn is_unavailable(&self) -> bool {
        self.unavailable().is_some()
    }
}

/// How the databases word what a later attempt may not meet. diesel hands on no code of either for these.
/// SQLite is part of this program and has one language; PostgreSQL's connections are set to English where
/// the server allows it (see `postgres.rs`).
const KNOWN: [(&str, Unavailable); 27] = [
    // SQLite: FULL, READONLY, IOERR, CANTOPEN, BUSY, LOCKED.
    ("database or disk is full", Unavailable::Full),
    ("attempt to write a readonly database", Unavailable::ReadOnly),
    ("disk I/O error", Unavailable::Faulty),
    ("unable to open database file", Unavailable::Faulty),
    ("database is locked", Unavailable::Away),
    ("database table is locked", Unavailable::Away),
    // PostgreSQL, class 53 (resources): disk_full, out_of_memory, too_many_connections. The first goes
    // before those of class 58, whose words it is told with.
    ("No space left on device", Unavailable::Full),
    ("Disk quota exceeded", Unavailable::Full),
    ("could not extend file", Unavailable::Full),
    ("out of memory", Unavailable::Away),
    ("out of shared memory", Unavailable::Away),
    ("too many clients", Unavailable::Away),
    ("remaining connection slots are reserved", Unavailable::Away),
    // Class 58 (system): io_error and what goes with it.
    ("could not open file", Unavailable::Faulty),
    ("could not read block", Unavailable::Faulty),
    ("could not write", Unavailable::Faulty),
    ("could not fsync file", Unavailable::Faulty),
    // read_only_sql_transaction, which has a kind of its own until it is repeated to other callers.
    ("in a read-only transaction", Unavailable::ReadOnly),
    // lock_not_available, query_canceled, deadlock_detected: what was asked for can be asked again.
    ("canceling statement due to", Unavailable::Away),
    ("could not obtain lock", Unavailable::Away),
    ("deadlock detected", Unavailable::Away),
    // Class 57 (operator): admin_shutdown, crash_shutdown, cannot_connect_now; and what the driver says.
    ("terminating connection", Unavailable::Away),
    ("the database system is", Unavailable::Away),
    ("connection closed", Unavailable::Away),
    ("error communicating with the server", Unavailable::Away),
    ("Connection reset by peer", Unavailable::Away),
    ("Connection refused", Unavailable::Away),
];

fn known(message: &str) -> Option<Unavailable> {
    KNOWN.iter().find(|(known, _)| message.contains(known)).map(|(_, reason)| *reason)
}

/// Whether a query failed because the connection is gone, a lock was not had in time, or the store is
/// full, rather than because of what it asked.
fn unavailable(error: &QueryError) -> Option<Unavailable> {
    match error {
        QueryError::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::ReadOnlyTransaction => Some(Unavailable::ReadOnly),
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure => Some(Unavailable::Away),
            _ => known(information.message()),
        },
        QueryError::BrokenTransactionManager => Some(Unavailable::Away),
        _ => None,
    }
}

/// Whether a failed COMMIT may have happened all the same: the server did not say. Or SQLite did not get
/// its log onto the disk: the transaction is gone for this process, and yet the next one may find it in that
/// log if this one crashes before it has written over it.
pub(super) fn commit_outcome_is_unknown(error: &QueryError) -> bool {
    match error {
        QueryError::DatabaseError(kind, information) => {
            matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand)
                || ["connection closed", "terminating connection", "disk I/O error"]
                    .iter()
                    .any(|known| information.message().contains(known))
        }
        _ => false,
    }
}

/// Whether a ROLLBACK failed because the database has rolled back by itself, as SQLite does when its disk is
/// full.
pub(super) fn has_rolled_back(error: &QueryError) -> bool {
    matches!(error, QueryError::DatabaseError(_, information)
        if information.message().contains("no transaction is active"))
}

/// A server that did not answer in time.
pub(super) fn silence(reason: String) -> QueryError {
    QueryError::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(message: &str) -> DbError {
        let message = Box::new(message.to_owned());
        DbError::Query(QueryError::DatabaseError(DatabaseErrorKind::Unknown, message))
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let cases = [
            ("database or disk is full", Some(Unavailable::Full)),
            ("attempt to write a readonly database", Some(Unavailable::ReadOnly)),
            ("disk I/O error", Some(Unavailable::Faulty)),
            ("database is locked", Some(Unavailable::Away)),
            (r#"could not extend file "base/5/16384": No space left on device"#, Some(Unavailable::Full)),
            (
                r#"could not write to file "pg_wal/xlogtemp.7": No space left on device"#,
                Some(Unavailable::Full),
            ),
            (r#"could not read block 0 in file "base/5/1": Input/output error"#, Some(Unavailable::Faulty)),
            ("cannot execute UPDATE in a read-only transaction", Some(Unavailable::ReadOnly)),
            ("canceling statement due to lock timeout", Some(Unavailable::Away)),
            ("terminating connection due to administrator command", Some(Unavailable::Away)),
            ("the database system is in recovery mode", Some(Unavailable::Away)),
            ("database disk image is malformed", None),
            ("no such table: users", None),
            ("poison", None),
        ];
        for (message, expected) in cases {
            assert_eq!(query(message).unavailable(), expected, "{message}");
        }
    }

    #[test]
    fn who_cannot_be_reached_is_away_unless_it_says_more() {
        let unreachable = |reason: &str| DbError::Unreachable(reason.to_owned()).unavailable();
        assert_eq!(unreachable("timed out"), Some(Unavailable::Away));
        assert_eq!(unreachable("database or disk is full"), Some(Unavailable::Full));
    }

    #[test]
    fn who_has_changed_something_is_not_told_that_nothing_happened() {
        let unknown = |error: DbError| matches!(error.after_the_change(), DbError::OutcomeUnknown(_));
        assert!(unknown(query("terminating connection due to administrator command")));
        assert!(unknown(DbError::Unreachable("timed out".to_owned())));
        assert!(!unknown(query("no such table: users")), "a fault of ours stays one");
    }
}
