//! Tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::auth::keys::{RefreshKey, SigningKeys};
use crate::auth::{OpaqueToken, RefreshToken, Tokens};
use crate::invites::InviteToken;
use crate::types::Timestamp;

const KEY: &[u8] = b"a key of the fuzzer, which is nobody's";

const LIFETIME: Duration = Duration::from_mins(15);

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// An access token: as it is, which nobody could have signed; and with its first line and the rest as header and
/// claims under a good signature, since nothing else of it is read before that.
pub fn access_tokens(data: &[u8]) {
    let tokens = Tokens::new(KEY, LIFETIME);
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(tokens.verify(text, NOW).is_err(), "a token was forged: {text}");
    }
    let newline = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, claims) = data.split_at(newline);
    let claims = claims.get(1..).unwrap_or_default();
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(KEY) else { return };
    let signature = mac.chain_update(token.as_bytes()).finalize().into_bytes();
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    if let Ok(claims) = tokens.verify(&token, NOW) {
        let header = String::from_utf8_lossy(header);
        assert!(header.contains("HS256") || header.contains('\\'), "signed otherwise: {header}");
        assert!((claims.iss.as_str(), claims.aud.as_str()) == ("roomcast", "roomcast"), "{claims:?}");
        assert!(claims.expires_at() > NOW, "{claims:?}");
        let lifetime = i64::try_from(LIFETIME.as_secs()).unwrap_or_default();
        assert!(claims.exp <= claims.iat.saturating_add(lifetime), "{claims:?}");
    }
}

/// A refresh or an invite token: as a text; and as the bytes that one carries, with our mark behind them.
pub fn opaque_tokens(data: &[u8]) {
    let key = RefreshKey::derive(&SigningKeys::of(KEY, None));
    let check = |token: &OpaqueToken| {
        if let Some(read) = RefreshToken::parse(&key, token) {
            assert!(read.to_opaque() == *token, "a refresh token has two spellings");
        }
        if let Some(read) = InviteToken::parse(token) {
            assert!(read.to_opaque() == *token, "an invite token has two spellings");
        }
    };
    if let Some(token) =
        std::str::from_utf8(data).ok().and_then(|text| OpaqueToken::try_from(text.to_owned()).ok())
    {
        check(&token);
    }
    check(&OpaqueToken::of(data));
    check(&OpaqueToken::of(&[data, &key.mark(data)].concat()));
}
