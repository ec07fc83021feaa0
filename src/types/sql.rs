//! SQL types for what the two databases store differently. `schema.rs` names columns with these, so
//! that one query text serves both.

use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

/// A UUID: `uuid` on PostgreSQL, a blob of 16 bytes on SQLite.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Id;

/// A moment in UTC: `timestamptz` on PostgreSQL, integer milliseconds of the Unix epoch on SQLite.
/// Not called `Timestamptz`, because diesel's `table!` treats that name specially.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Moment;

/// Stores an enum of ours as text: `text_column!(Role, Role::as_str, Role::from_str)`.
macro_rules! text_column {
    ($name:ty) => {
        impl<DB> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, DB>,
            ) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<diesel::sql_types::Text, DB>::to_sql(self.as_str(), out)
            }
        }

        impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let text =
                    <String as diesel::deserialize::FromSql<diesel::sql_types::Text, DB>>::from_sql(value)?;
                <$name>::try_from(text).map_err(|error| error.to_string().into())
            }
        }
    };
}
pub(crate) use text_column;
