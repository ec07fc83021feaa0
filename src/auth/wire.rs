//! What clients send to and get from the routes of this feature.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{SignedIn, TokenPair};
use super::opaque::OpaqueToken;
use crate::http::{Fields, FromFields};
use crate::organisations::OrganisationBody;
use crate::types::{Email, InvalidText, NewPassword, OrgId, OrganisationName, Password, PersonName, Role};
use crate::users::UserBody;

/// An organisation to found, and its first admin.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Register {
    pub(crate) organisation_name: OrganisationName,
    pub(crate) name: PersonName,
    pub(crate) email: Email,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: NewPassword,
}

impl FromFields for Register {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let organisation_name = fields.required("organisationName");
        let name = fields.required("name");
        let email = fields.required("email");
        let password = fields.required("password");
        Some(Self { organisation_name: organisation_name?, name: name?, email: email?, password: password? })
    }
}

/// Who signs in, and where.
#[derive(Debug, ToSchema)]
pub(crate) struct Login {
    pub(crate) email: Email,
    #[schema(value_type = String, format = Password, max_length = 128)]
    pub(crate) password: Password,
    /// The organisation's id or slug; without it, the one used last.
    #[schema(value_type = Option<String>, pattern = "^[0-9A-Za-z-]{1,60}$", example = "acme")]
    pub(crate) organisation: Option<OrganisationKey>,
}

/// An id or a slug.
#[derive(Debug)]
pub(crate) struct OrganisationKey(String);

impl OrganisationKey {
    /// The text itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrganisationKey {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if (1..=60).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err(InvalidText::new("must be the id or the slug of an organisation, of at most 60 characters"))
        }
    }
}

impl FromFields for Login {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email");
        let password = fields.required("password");
        let organisation = fields.optional("organisation");
        Some(Self { email: email?, password: password?, organisation })
    }
}

/// Whose password is forgotten.
#[derive(Debug, ToSchema)]
pub(crate) struct ForgotPassword {
    pub(crate) email: Email,
}

impl FromFields for ForgotPassword {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email");
        Some(Self { email: email? })
    }
}

/// A new password, and the token of an email that lets one choose it.
#[derive(ToSchema)]
pub(crate) struct ResetPassword {
    #[schema(value_type = String)]
    pub(crate) token: OpaqueToken,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: NewPassword,
}

impl FromFields for ResetPassword {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("token");
        let password = fields.required("password");
        Some(Self { token: token?, password: password? })
    }
}

/// A refresh token to be used.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Refresh {
    #[schema(value_type = String)]
    pub(crate) refresh_token: OpaqueToken,
}

impl FromFields for Refresh {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let refresh_token = fields.required("refreshToken");
        Some(Self { refresh_token: refresh_token? })
    }
}

/// Where to change over to.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Switch {
    pub(crate) organisation_id: OrgId,
}

impl FromFields for Switch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let organisation_id = fields.required_id("organisationId");
        Some(Self { organisation_id: organisation_id? })
    }
}

/// A new name, a new password, or both.
#[derive(Debug)]
pub(crate) struct UpdateMe {
    pub(crate) name: Option<PersonName>,
    pub(crate) password: Option<PasswordChange>,
}

/// A new password, and the one it replaces.
#[derive(Debug)]
pub(crate) struct PasswordChange {
    pub(crate) current: Password,
    pub(crate) new: NewPassword,
}

impl FromFields for UpdateMe {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        if !["name", "password", "currentPassword"].iter().any(|name| fields.is_given(name)) {
            fields.reject("body", "must have a name, or a password with currentPassword");
        }
        let name = fields.optional("name");
        if !fields.is_given("password") && !fields.is_given("currentPassword") {
            return Some(Self { name, password: None });
        }
        let new = fields.required("password");
        let current = fields.required("currentPassword");
        let password = PasswordChange { current: current?, new: new? };
        Some(Self { name, password: Some(password) })
    }
}

/// What to change of oneself: `name`, or `password` with `currentPassword`, or all three.
#[derive(ToSchema)]
#[schema(as = UpdateMe)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes `UpdateMe` in the OpenAPI document; it is never made")]
pub(crate) enum UpdateMeBody {
    #[schema(title = "NewName")]
    Name { name: PersonName },
    #[schema(title = "NewPassword", rename_all = "camelCase")]
    Password {
        name: Option<PersonName>,
        /// The new password.
        #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
        password: NewPassword,
        /// The password that the account has now.
        #[schema(value_type = String, format = Password, max_length = 128)]
        current_password: Password,
    },
}

/// A session that has begun: its tokens, who signed in, and where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(crate) struct SessionBody {
    #[serde(flatten)]
    tokens: TokensBody,
    user: UserBody,
    organisation: OrganisationBody,
}

impl From<SignedIn> for SessionBody {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            tokens: signed_in.tokens.into(),
            user: signed_in.user.into(),
            organisation: signed_in.organisation.into(),
        }
    }
}

/// A pair of tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tokens)]
pub(crate) struct TokensBody {
    /// A JWT for `Authorization: Bearer` and for the socket.
    access_token: String,
    /// Gets the next pair, once.
    #[schema(value_type = String)]
    refresh_token: OpaqueToken,
    /// How long the access token lives, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
}

impl From<TokenPair> for TokensBody {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access_token,
            refresh_token: pair.refresh_token,
            expires_in: pair.expires_in,
            token_type: "Bearer",
        }
    }
}

/// The caller and their organisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    pub(crate) user: UserBody,
    pub(crate) organisation: OrganisationBody,
}

/// An organisation of the caller's account, and the role there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembershipBody {
    pub(crate) organisation: OrganisationBody,
    pub(crate) role: Role,
}
