//! Text from outside, parsed at the door.

use std::fmt;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Text;
use serde::Serialize;

use super::sql::text_column;

/// Why a text is not acceptable, written to follow the name of its field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(String);

impl InvalidText {
    /// A reason such as "must be an email address".
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Checks what holds for all text: its length in characters, and no NUL, which PostgreSQL cannot store.
fn checked(text: &str, min: usize, max: usize) -> Result<(), InvalidText> {
    if text.contains('\0') {
        return Err(InvalidText::new("must not contain NUL characters"));
    }
    let length = text.chars().count();
    if (min..=max).contains(&length) {
        Ok(())
    } else {
        Err(InvalidText::new(format!("must have {min} to {max} characters")))
    }
}

/// Checks a line of text that people read: trimmed, not empty, no control characters.
fn line(text: &str, max: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    checked(text, 1, max)?;
    if text.chars().any(char::is_control) {
        return Err(InvalidText::new("must not contain control characters"));
    }
    Ok(text.to_owned())
}

macro_rules! stored_text {
    ($($(#[$doc:meta])* $name:ident { $($schema:tt)* };)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, FromSqlRow, AsExpression, utoipa::ToSchema,
        )]
        #[diesel(sql_type = Text)]
        #[serde(transparent)]
        #[schema(value_type = String, $($schema)*)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        text_column!($name);
    )*};
}

stored_text! {
    /// An email address: one `@`, 3 to 254 characters, no spaces; kept in lower case, so that one person
    /// cannot sign up twice by case.
    Email {
        min_length = 3,
        max_length = 254,
        pattern = "^[^@\\s\\u0000-\\u001f\\u007f-\\u009f]+@[^@\\s.\\u0000-\\u001f\\u007f-\\u009f]+(\\.[^@\\s.\\u0000-\\u001f\\u007f-\\u009f]+)*$",
        example = "ana@example.com"
    };
    /// The name of an organisation: one line of 1 to 100 characters, without outer spaces.
    OrganisationName {
        min_length = 1,
        max_length = 100,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
        example = "Acme"
    };
    /// The name of a person: one line of 1 to 100 characters, without outer spaces.
    PersonName {
        min_length = 1,
        max_length = 100,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
        example = "Ana"
    };
    /// The code of a plan, such as `FREE`: 1 to 50 characters.
    PlanCode {
        min_length = 1,
        max_length = 50,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
        example = "PRO"
    };
    /// Why an organisation is suspended: one line of 1 to 500 characters, without outer spaces.
    SuspensionReason {
        min_length = 1,
        max_length = 500,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
        example = "Unpaid since March"
    };
    /// Why an organisation's credits change: one line of 1 to 500 characters, without outer spaces.
    CreditReason {
        min_length = 1,
        max_length = 500,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$",
        example = "Paid by invoice 7"
    };
    /// An organisation's name in addresses: 1 to 60 of `a-z`, `0-9` and `-`.
    Slug { pattern = "^[a-z0-9-]{1,60}$", example = "acme" };
}

impl TryFrom<String> for Email {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim().to_lowercase();
        let invalid = || InvalidText::new("must be an email address of at most 254 characters");
        checked(&text, 3, 254).map_err(|_| invalid())?;
        let (local, domain) = text.split_once('@').ok_or_else(invalid)?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part.contains('@')
                && part.chars().all(|c| !c.is_whitespace() && !c.is_control())
        };
        let domain_ok = !domain.starts_with('.') && !domain.ends_with('.') && !domain.contains("..");
        if plain(local) && plain(domain) && domain_ok { Ok(Self(text)) } else { Err(invalid()) }
    }
}

impl TryFrom<String> for OrganisationName {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        line(&text, 100).map(Self)
    }
}

impl TryFrom<String> for PersonName {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        line(&text, 100).map(Self)
    }
}

impl TryFrom<String> for PlanCode {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        line(&text, 50).map(Self)
    }
}

impl TryFrom<String> for SuspensionReason {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        line(&text, 500).map(Self)
    }
}

impl TryFrom<String> for CreditReason {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        line(&text, 500).map(Self)
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=60).contains(&text.len()) && text.chars().all(plain) {
            Ok(Self(text))
        } else {
            Err(InvalidText::new("must have 1 to 60 characters of a-z, 0-9 and -"))
        }
    }
}

impl Slug {
    /// The slug of a name, with `suffix` to tell it from others of the same name:
    /// `Acme & Söhne` becomes `acme-s-hne`, then `acme-s-hne-1f2e3d`.
    pub fn of(name: &OrganisationName, suffix: Option<&str>) -> Self {
        let mut slug = String::new();
        for c in name.as_str().chars().map(|c| c.to_ascii_lowercase()) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() >= 48 {
                break;
            }
        }
        let base = slug.trim_end_matches('-');
        let base = if base.is_empty() { "organisation" } else { base };
        Self(suffix.map_or_else(|| base.to_owned(), |suffix| format!("{base}-{suffix}")))
    }
}

/// The text of a broadcast: 1 to 4,096 characters, kept as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Message {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        checked(&text, 1, 4096)?;
        Ok(Self(text))
    }
}

/// A password that somebody signs in with. Any text of up to 128 characters may be tried; none is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password itself, for hashing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl TryFrom<String> for Password {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > 128 {
            return Err(InvalidText::new("must have at most 128 characters"));
        }
        Ok(Self(text))
    }
}

/// A password that somebody chooses: 8 to 128 characters; it is never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPassword(Password);

impl NewPassword {
    /// The password itself, for hashing or for comparing it with one that exists.
    pub fn as_password(&self) -> &Password {
        &self.0
    }
}

impl TryFrom<String> for NewPassword {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::try_from(Password(text))
    }
}

impl TryFrom<Password> for NewPassword {
    type Error = InvalidText;

    fn try_from(password: Password) -> Result<Self, Self::Error> {
        if (8..=128).contains(&password.0.chars().count()) {
            Ok(Self(password))
        } else {
            Err(InvalidText::new("must have 8 to 128 characters"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn email(text: &str) -> Result<Email, InvalidText> {
        Email::try_from(text.to_owned())
    }

    #[test]
    fn an_email_has_two_parts_and_is_lower_case() {
        assert_eq!(email(" Ana@Example.COM ").unwrap().as_str(), "ana@example.com");
        for bad in ["", "ana", "@b", "a@", "a b@c", "a@b@c", "a@.b", "a@b.", "a@b..c", "a\0@b"] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
        assert!(email(&format!("{}@x", "a".repeat(252))).is_ok());
        assert!(email(&format!("{}@x", "a".repeat(253))).is_err());
    }

    #[test]
    fn a_slug_is_made_of_any_name() {
        let name = |text: &str| OrganisationName::try_from(text.to_owned()).unwrap();
        assert_eq!(Slug::of(&name("Acme & Söhne"), None).as_str(), "acme-s-hne");
        assert_eq!(Slug::of(&name("日本"), Some("1f2e")).as_str(), "organisation-1f2e");
    }

    #[test]
    fn a_password_is_not_printed() {
        let password = NewPassword::try_from("correct horse".to_owned()).unwrap();
        assert_eq!(format!("{password:?}"), "NewPassword(Password(…))");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_passes_passes_again(text in ".{0,300}") {
            if let Ok(email) = email(&text) {
                prop_assert_eq!(Email::try_from(email.as_str().to_owned()), Ok(email));
            }
            if let Ok(name) = OrganisationName::try_from(text) {
                let slug = Slug::of(&name, None);
                prop_assert_eq!(Slug::try_from(slug.as_str().to_owned()), Ok(slug));
                prop_assert_eq!(OrganisationName::try_from(name.as_str().to_owned()), Ok(name));
            }
        }
    }
}
