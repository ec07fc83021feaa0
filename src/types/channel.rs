//! The channels on which messages leave.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};

use super::InvalidText;
use super::sql::text_column;

/// How a message reaches its recipient.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    FromSqlRow,
    AsExpression,
    utoipa::ToSchema,
)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A text to a telephone.
    Sms,
    /// An email.
    Email,
    /// A notification to a device.
    Push,
    /// A POST to a URL.
    Webhook,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 4] = [Self::Sms, Self::Email, Self::Push, Self::Webhook];

    /// The channel as it is written on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
            Self::Push => "push",
            Self::Webhook => "webhook",
        }
    }
}

impl TryFrom<String> for Channel {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let known = Self::ALL.into_iter().find(|channel| channel.as_str() == text);
        known.ok_or_else(|| InvalidText::new("must be sms, email, push or webhook"))
    }
}

text_column!(Channel);
