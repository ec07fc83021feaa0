//! What the route of sign-ups takes.

use utoipa::ToSchema;

use crate::auth::OpaqueToken;
use crate::http::{Fields, FromFields};
use crate::types::{Email, NewPassword, PersonName};

/// A sign-up, from the person whom its token was given.
#[derive(Debug, ToSchema)]
pub(crate) struct RedeemSignUp {
    #[schema(value_type = String)]
    pub(crate) token: OpaqueToken,
    pub(crate) name: PersonName,
    pub(crate) email: Email,
    /// The account's own where the email has one, else a new one.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: NewPassword,
}

impl FromFields for RedeemSignUp {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("token");
        let name = fields.required("name");
        let email = fields.required("email");
        let password = fields.required("password");
        Some(Self { token: token?, name: name?, email: email?, password: password? })
    }
}
