//! One newtype for each entity's id, so that the compiler keeps them apart.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Binary;
use diesel::sqlite::Sqlite;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::sql::Id;

/// Organisations as a log line names several.
pub struct OrgIds(pub Vec<OrgId>);

impl fmt::Display for OrgIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, org) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{org}")?;
        }
        Ok(())
    }
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, FromSqlRow, AsExpression,
            utoipa::ToSchema,
        )]
        #[diesel(sql_type = Id)]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by the time it was made (UUIDv7, RFC 9562).
            #[expect(clippy::new_without_default, reason = "every id is another; a default would not be")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// What no entity has: the smallest of all ids.
            pub const NIL: Self = Self(Uuid::nil());

            /// The id as a bare UUID, for storing it beside ids of other kinds.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            /// In the form that ids are written in, with hyphens: an id has one name, in a path as in a log.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<Hyphenated>().map(|id| Self(id.into_uuid()))
            }
        }

        impl ToSql<Id, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.0.as_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Id, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.0.as_bytes().to_vec());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Id, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(Self(Uuid::from_slice(value.as_bytes())?))
            }
        }

        impl FromSql<Id, Sqlite> for $name {
            fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
                Ok(Self(Uuid::from_slice(&bytes)?))
            }
        }
    )*};
}

id! {
    /// A platform administrator, in the directory.
    AdministratorId;
    /// An entry of the platform's audit.
    AuditId;
    /// A sign-up: how the first admin of an organisation gets in.
    SignUpId;
    /// An account: one person, one email, one password, in the directory.
    AccountId;
    /// An activity of an organisation's log.
    ActivityId;
    /// One open socket or stream.
    ConnectionId;
    /// Names one life of an organisation's log: it changes when the log is replaced by another.
    EpochId;
    /// An invite to an organisation.
    InviteId;
    /// Work to be done later.
    JobId;
    /// One claim of a job: another each time.
    LeaseId;
    /// A message on a channel.
    MessageId;
    /// An organisation, which is a tenant.
    OrgId;
    /// A node of a cluster, as others know it: another at each start.
    NodeId;
    /// What an idempotency key has reserved for whatever its request makes; the key does not say of which
    /// kind that is.
    ReservedId;
    /// A sign-in of a user to one organisation.
    SessionId;
    /// Whatever an activity was done to; the log does not say of which kind it is.
    TargetId;
    /// One access token (`jti`).
    TokenId;
    /// A user: an account's membership in one organisation.
    UserId;
}
