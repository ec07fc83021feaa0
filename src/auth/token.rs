//! Access tokens: JWTs (RFC 7519) signed with HMAC-SHA-256, checked without a look at the database.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::types::{OrgId, Role, SessionId, Timestamp, TokenId, UserId};

/// Who issues the tokens and for whom: a token of another service under the same key is none of ours.
const ISSUER: &str = "roomcast";

/// The header of the tokens that are issued here, as it stands in them: `{"typ":"JWT","alg":"HS256"}`.
const OWN_HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// What an access token says. The role is only a hint for clients: what counts is the access view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// The organisation.
    pub org: OrgId,
    /// The role when the token was made.
    pub role: Role,
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
    /// For whom: `roomcast`.
    pub aud: String,
}

impl Claims {
    /// When the token ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.exp.saturating_mul(1000))
    }

    /// Whether the token has not ended by now.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.exp > now.as_secs()
    }
}

/// The token is not ours, was tampered with, or has expired. Which of these is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is missing, not valid or expired")]
pub struct InvalidToken;

/// A key that tokens may be signed with, for each of the two ways to check them.
struct Key {
    own: hmac::Key,
    any: DecodingKey,
}

impl Key {
    fn of(secret: &[u8]) -> Self {
        Self { own: hmac::Key::new(hmac::HMAC_SHA256, secret), any: DecodingKey::from_secret(secret) }
    }
}

/// Makes and checks access tokens.
pub struct Tokens {
    encoding: EncodingKey,
    /// The present key, then the previous one.
    keys: Vec<Key>,
    validation: Validation,
    lifetime: Duration,
}

impl Tokens {
    /// Signs with `secret`, for `lifetime`.
    pub fn new(secret: &[u8], lifetime: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Compared with the application's clock below.
        validation.validate_exp = false;
        Self { encoding: EncodingKey::from_secret(secret), keys: vec![Key::of(secret)], validation, lifetime }
    }

    /// Accepts what `previous` signed, too.
    #[must_use]
    pub fn accepting(mut self, previous: Option<&[u8]>) -> Self {
        self.keys.extend(previous.map(Key::of));
        self
    }

    /// How long a token lives.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A new token of a session.
    pub fn issue(
        &self,
        org: OrgId,
        user: UserId,
        role: Role,
        session: SessionId,
        now: Timestamp,
    ) -> anyhow::Result<String> {
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            sub: user,
            org,
            role,
            sid: session,
            jti: TokenId::new(),
            iat: now.as_secs(),
            exp: now.as_secs().saturating_add(lifetime),
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .context("signing an access token")
    }

    /// What a token says, if it is ours and has not expired. Whether its session still stands is for the
    /// access view to tell.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, InvalidToken> {
        let mut claims = match token.strip_prefix(OWN_HEADER) {
            Some(rest) => self.read_own(token, rest),
            None => self.read_any(token),
        }
        .ok_or(InvalidToken)?;
        // Ended sessions are remembered for the present lifetime: no token counts for longer, whatever the
        // lifetime was when it was made.
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        claims.exp = claims.exp.min(claims.iat.saturating_add(lifetime));
        if claims.is_live(now) { Ok(claims) } else { Err(InvalidToken) }
    }

    /// Reads a token that has our own header, of which `rest` is what follows. Every request has one to be
    /// checked: the general way reads the header, and the claims twice, which is three times the work.
    fn read_own(&self, token: &str, rest: &str) -> Option<Claims> {
        let (claims, signature) = rest.strip_prefix('.')?.split_once('.')?;
        let signed = token.strip_suffix(signature)?.strip_suffix('.')?;
        // A third full stop is no character of base64.
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_ours = |key: &Key| hmac::verify(&key.own, signed.as_bytes(), &signature).is_ok();
        if !self.keys.iter().any(is_ours) {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        (claims.iss == ISSUER && claims.aud == ISSUER).then_some(claims)
    }

    /// Reads a token that something else may have made with our key.
    fn read_any(&self, token: &str) -> Option<Claims> {
        let decode = |key: &Key| jsonwebtoken::decode::<Claims>(token, &key.any, &self.validation).ok();
        Some(self.keys.iter().find_map(decode)?.claims)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn tokens(secret: &[u8]) -> Tokens {
        Tokens::new(secret, Duration::from_mins(15))
    }

    fn issue(tokens: &Tokens) -> String {
        tokens.issue(OrgId::new(), UserId::new(), Role::Member, SessionId::new(), NOW).unwrap()
    }

    #[test]
    fn a_token_is_good_until_it_ends() {
        let tokens = tokens(b"one key of thirty-two bytes or so");
        let token = issue(&tokens);
        assert_eq!(tokens.verify(&token, NOW).unwrap().iat, NOW.as_secs());
        assert!(tokens.verify(&token, NOW.plus(Duration::from_mins(15) - Duration::from_secs(1))).is_ok());
        assert_eq!(tokens.verify(&token, NOW.plus(Duration::from_mins(15))), Err(InvalidToken));
    }

    #[test]
    fn a_shorter_lifetime_shortens_tokens_that_were_made_before() {
        let key = b"one key of thirty-two bytes or so";
        let token = Tokens::new(key, Duration::from_hours(24))
            .issue(OrgId::new(), UserId::new(), Role::Member, SessionId::new(), NOW)
            .unwrap();
        let now = tokens(key);
        let claims = now.verify(&token, NOW).unwrap();
        assert_eq!(claims.expires_at(), NOW.plus(Duration::from_mins(15)));
        assert_eq!(now.verify(&token, NOW.plus(Duration::from_mins(15))), Err(InvalidToken));
    }

    #[test]
    fn another_key_or_no_signature_is_refused() {
        let ours = tokens(b"one key of thirty-two bytes or so");
        let token = issue(&tokens(b"another key of thirty-two bytes!!"));
        assert_eq!(ours.verify(&token, NOW), Err(InvalidToken));
        let good = issue(&ours);
        let claims = good.split('.').nth(1).unwrap();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert_eq!(ours.verify(&format!("{header}.{claims}."), NOW), Err(InvalidToken));
    }

    #[test]
    fn the_previous_key_still_counts_and_signs_nothing() {
        let (old, new) = (b"the old key of thirty-two bytes!", b"the new key of thirty-two bytes!");
        let between = tokens(new).accepting(Some(old));
        assert!(between.verify(&issue(&tokens(old)), NOW).is_ok());
        assert!(tokens(new).verify(&issue(&between), NOW).is_ok());
        assert_eq!(tokens(new).verify(&issue(&tokens(old)), NOW), Err(InvalidToken));
        assert_eq!(tokens(old).verify(&issue(&between), NOW), Err(InvalidToken));
    }

    /// A token as another program would make it: a header of its own, and these claims.
    fn sign(key: &[u8], header: &Header, claims: &serde_json::Value) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(key)).unwrap()
    }

    #[test]
    fn both_ways_to_read_a_token_agree() {
        let key = b"one key of thirty-two bytes or so";
        let tokens = tokens(key);
        let own = issue(&tokens);
        assert!(own.starts_with(OWN_HEADER), "the quick way is taken by nobody: {own}");
        let claims = serde_json::to_value(tokens.verify(&own, NOW).unwrap()).unwrap();
        let (ours, mut theirs) = (Header::new(Algorithm::HS256), Header::new(Algorithm::HS256));
        theirs.kid = Some("theirs".to_owned());
        let with = |name: &str, value: serde_json::Value| {
            let mut changed = claims.clone();
            changed[name] = value;
            changed
        };
        let good = [claims.clone(), with("more", 1.into())];
        let bad = [
            with("iss", "another".into()),
            with("aud", "another".into()),
            with("sub", "nobody".into()),
            with("exp", NOW.as_secs().into()),
            with("role", 1.into()),
        ];
        for header in [&ours, &theirs] {
            for claims in &good {
                assert!(tokens.verify(&sign(key, header, claims), NOW).is_ok(), "{header:?} {claims}");
            }
            for claims in &bad {
                assert!(tokens.verify(&sign(key, header, claims), NOW).is_err(), "{header:?} {claims}");
            }
        }
        for odd in
            [format!("{own}."), format!("{own}.{own}"), own.replacen('.', "..", 1), OWN_HEADER.to_owned()]
        {
            assert_eq!(tokens.verify(&odd, NOW), Err(InvalidToken), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_refused(index in 0usize..300, byte in any::<u8>()) {
            let tokens = tokens(b"one key of thirty-two bytes or so");
            let token = issue(&tokens);
            let mut bytes = token.clone().into_bytes();
            let index = index % bytes.len();
            prop_assume!(bytes[index] != byte);
            bytes[index] = byte;
            // The last character of base64 holds bits that do not count.
            prop_assume!(index + 1 != bytes.len());
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert_eq!(tokens.verify(&text, NOW), Err(InvalidToken));
            }
        }
    }
}
