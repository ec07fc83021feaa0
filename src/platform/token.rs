//! The access tokens of administrators: as members' are, for an audience of their own and under a key of their own.

use std::time::Duration;

use anyhow::Context as _;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::model::AdministratorRole;
use crate::auth::InvalidToken;
use crate::auth::keys::{SigningKeys, mac};
use crate::types::{AdministratorId, SessionId, Timestamp, TokenId};

const ISSUER: &str = "roomcast";

/// For whom they are: members' are for `roomcast`.
const AUDIENCE: &str = "roomcast-platform";

/// What an administrator's token says. The role is only a hint for clients: what counts is in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformClaims {
    /// The administrator.
    pub sub: AdministratorId,
    /// The role when the token was made.
    pub(crate) role: AdministratorRole,
    /// The session.
    pub sid: SessionId,
    /// This token.
    pub jti: TokenId,
    /// When it was made, in seconds since the Unix epoch.
    pub iat: i64,
    /// When it ends, likewise.
    pub exp: i64,
    /// Who issued it: `roomcast`.
    pub iss: String,
    /// For whom: `roomcast-platform`.
    pub aud: String,
}

/// Makes and checks administrators' tokens.
pub struct PlatformTokens {
    encoding: EncodingKey,
    /// The present key, then the previous one.
    decoding: Vec<DecodingKey>,
    validation: Validation,
    lifetime: Duration,
}

impl PlatformTokens {
    /// Signs for `lifetime`, with a key derived from the present one; accepts what the previous one's signed.
    pub fn new(keys: &SigningKeys, lifetime: Duration) -> Self {
        let derive = |key: &[u8]| mac(key, b"roomcast platform token v1");
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Compared with the application's clock below.
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_secret(&derive(keys.present())),
            decoding: keys.all().map(|key| DecodingKey::from_secret(&derive(key))).collect(),
            validation,
            lifetime,
        }
    }

    /// How long a token lives.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A new token of a session.
    pub(crate) fn issue(
        &self,
        administrator: AdministratorId,
        role: AdministratorRole,
        session: SessionId,
        now: Timestamp,
    ) -> anyhow::Result<String> {
        let claims = PlatformClaims {
            sub: administrator,
            role,
            sid: session,
            jti: TokenId::new(),
            iat: now.as_secs(),
            exp: now.as_secs().saturating_add(self.lifetime_secs()),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .context("signing an administrator's token")
    }

    /// What a token says, if it is ours and has not expired. Whether its session still stands is in the directory.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<PlatformClaims, InvalidToken> {
        let decode =
            |key: &DecodingKey| jsonwebtoken::decode::<PlatformClaims>(token, key, &self.validation).ok();
        let claims = self.decoding.iter().find_map(decode).ok_or(InvalidToken)?.claims;
        let ends = claims.exp.min(claims.iat.saturating_add(self.lifetime_secs()));
        if ends > now.as_secs() { Ok(claims) } else { Err(InvalidToken) }
    }

    fn lifetime_secs(&self) -> i64 {
        i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Tokens;
    use crate::types::{OrgId, Role, UserId};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const LIFETIME: Duration = Duration::from_mins(15);

    #[test]
    fn neither_kind_is_taken_for_the_other_even_under_one_key() {
        let secret = b"one key of thirty-two bytes or so";
        let platform = PlatformTokens::new(&SigningKeys::of(secret, None), LIFETIME);
        // Members' tokens, signed with the key that administrators' are.
        let derived = mac(secret, b"roomcast platform token v1");
        for key in [secret.as_slice(), &derived] {
            let members = Tokens::new(key, LIFETIME);
            let of_member = members
                .issue(OrgId::new(), UserId::new(), Role::Admin, SessionId::new(), NOW)
                .expect("it is signed");
            let of_administrator = platform
                .issue(AdministratorId::new(), AdministratorRole::SuperAdmin, SessionId::new(), NOW)
                .expect("it is signed");
            assert!(members.verify(&of_member, NOW).is_ok());
            assert!(platform.verify(&of_administrator, NOW).is_ok());
            assert_eq!(members.verify(&of_administrator, NOW), Err(InvalidToken));
            assert_eq!(platform.verify(&of_member, NOW), Err(InvalidToken));
        }
    }

    #[test]
    fn a_token_ends_and_the_previous_key_counts() {
        let (old, new) = (b"the old key of thirty-two bytes!", b"the new key of thirty-two bytes!");
        let before = PlatformTokens::new(&SigningKeys::of(old, None), LIFETIME);
        let token = before
            .issue(AdministratorId::new(), AdministratorRole::Support, SessionId::new(), NOW)
            .expect("it is signed");
        let between = PlatformTokens::new(&SigningKeys::of(new, Some(old)), LIFETIME);
        assert!(between.verify(&token, NOW).is_ok());
        assert!(PlatformTokens::new(&SigningKeys::of(new, None), LIFETIME).verify(&token, NOW).is_err());
        assert_eq!(between.verify(&token, NOW.plus(LIFETIME)), Err(InvalidToken));
    }
}
