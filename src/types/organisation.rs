//! Whether an organisation may be used.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Text;
use serde::Serialize;

use super::InvalidText;
use super::sql::text_column;

/// Whether an organisation may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromSqlRow, AsExpression, utoipa::ToSchema)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "lowercase")]
pub enum OrganisationStatus {
    /// It may.
    Active,
    /// A platform administrator has closed it.
    Suspended,
}

impl OrganisationStatus {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }
}

impl TryFrom<String> for OrganisationStatus {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "ACTIVE" => Ok(Self::Active),
            "SUSPENDED" => Ok(Self::Suspended),
            _ => Err(InvalidText::new("must be ACTIVE or SUSPENDED")),
        }
    }
}

text_column!(OrganisationStatus);
