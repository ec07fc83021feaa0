//! How far an organisation is apart from the others.

use clap::ValueEnum;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};

use super::InvalidText;
use super::sql::text_column;

/// How far an organisation's rows are apart from those of others. It is chosen when the organisation is founded, and
/// stands.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    FromSqlRow,
    AsExpression,
    Serialize,
    Deserialize,
    ValueEnum,
    utoipa::ToSchema,
)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// In the same tables.
    #[default]
    Shared,
    /// In a schema of their own; PostgreSQL only.
    Schema,
    /// In a database of their own; with SQLite a file.
    Database,
}

impl Isolation {
    /// Whether the rows are in a store of their own.
    pub const fn is_apart(self) -> bool {
        match self {
            Self::Shared => false,
            Self::Schema | Self::Database => true,
        }
    }

    /// As the directory stores it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "SHARED",
            Self::Schema => "SCHEMA",
            Self::Database => "DATABASE",
        }
    }

    /// As people and the API write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Schema => "schema",
            Self::Database => "database",
        }
    }
}

impl TryFrom<String> for Isolation {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "SHARED" => Ok(Self::Shared),
            "SCHEMA" => Ok(Self::Schema),
            "DATABASE" => Ok(Self::Database),
            _ => Err(InvalidText::new("must be SHARED, SCHEMA or DATABASE")),
        }
    }
}

text_column!(Isolation);
