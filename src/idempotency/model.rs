//! Keys, what they count for, and their row.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::db::schema::idempotency_keys;
use crate::types::sql::text_column;
use crate::types::{AdministratorId, InvalidText, OrgId, ReservedId, Timestamp, UserId};

/// Most characters of a key.
pub(super) const MAX_KEY_LENGTH: usize = 255;

/// What a client made up to name one request: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, FromSqlRow, AsExpression)]
#[diesel(sql_type = Text)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        let is_good =
            (1..=MAX_KEY_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if is_good {
            Ok(Self(text))
        } else {
            Err(InvalidText::new("must be 1 to 255 visible ASCII characters"))
        }
    }
}

text_column!(IdempotencyKey);

/// In the place of an organisation where somebody asks for none.
const PLATFORM: OrgId = OrgId::NIL;

/// What a key counts for. The same key anywhere else is another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The organisation in which it is asked.
    pub org: OrgId,
    /// Who asks.
    pub user: UserId,
    /// The method of the request.
    pub method: String,
    /// Its path below `/api/v1` or `/api`, which are one.
    pub path: String,
    /// The key.
    pub key: IdempotencyKey,
}

impl Scope {
    /// Of a platform administrator, whose keys stand in the directory: no organisation has this id.
    pub(super) fn of_administrator(
        administrator: AdministratorId,
        method: String,
        path: String,
        key: IdempotencyKey,
    ) -> Self {
        Self { org: PLATFORM, user: administrator.as_uuid().into(), method, path, key }
    }

    /// Whether it is a platform administrator's.
    pub(super) fn is_of_administrator(&self) -> bool {
        self.org == PLATFORM
    }

    /// The scope as bytes, which no other scope has: neither a path nor a key holds a zero.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let ids = self.org.as_uuid().into_bytes().into_iter().chain(self.user.as_uuid().into_bytes());
        let texts = [&self.method, &self.path, &self.key.0].map(String::as_bytes);
        ids.chain(texts.join(&0)).collect()
    }
}

/// How an answer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Text)]
pub enum Encoding {
    /// As it was sent.
    Plain,
    /// Encrypted, since it holds a secret.
    Sealed,
}

impl Encoding {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Sealed => "SEALED",
        }
    }
}

impl TryFrom<String> for Encoding {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        match text.as_str() {
            "PLAIN" => Ok(Self::Plain),
            "SEALED" => Ok(Self::Sealed),
            _ => Err(InvalidText::new("must be PLAIN or SEALED")),
        }
    }
}

text_column!(Encoding);

/// What is known of a key: an answer, or only an id that is reserved.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = idempotency_keys)]
#[diesel(primary_key(org_id, user_id, method, path, key))]
#[diesel(treat_none_as_null = true)]
pub struct KeyRow {
    pub(super) org_id: OrgId,
    pub(super) user_id: UserId,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) key: IdempotencyKey,
    pub(super) request_hash: Vec<u8>,
    pub(super) reserved_id: Option<ReservedId>,
    pub(super) status: Option<i64>,
    pub(super) encoding: Option<Encoding>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl KeyRow {
    pub(super) fn scope(&self) -> Scope {
        Scope {
            org: self.org_id,
            user: self.user_id,
            method: self.method.clone(),
            path: self.path.clone(),
            key: self.key.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<IdempotencyKey, InvalidText> {
        IdempotencyKey::try_from(text.to_owned())
    }

    #[test]
    fn a_key_is_visible_ascii_within_its_length() {
        let longest = "~".repeat(255);
        for good in ["a", "!", "~", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", &longest] {
            assert_eq!(key(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\tb", "\u{7f}", "ü", &"x".repeat(256)] {
            assert!(key(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_two_scopes_have_the_same_bytes() {
        let scope = Scope {
            org: OrgId::new(),
            user: UserId::new(),
            method: "POST".to_owned(),
            path: "/users/invite".to_owned(),
            key: key("1").unwrap(),
        };
        let others = [
            Scope { org: OrgId::new(), ..scope.clone() },
            Scope { user: UserId::new(), ..scope.clone() },
            Scope { method: "POST/users".to_owned(), path: "/invite".to_owned(), ..scope.clone() },
            Scope { path: "/users/invite1".to_owned(), ..scope.clone() },
            Scope { key: key("11").unwrap(), ..scope.clone() },
        ];
        for other in others {
            assert_ne!(other.to_bytes(), scope.to_bytes(), "{other:?}");
        }
    }
}
