//! Accounts and memberships in the directory, sessions in a tenant's store.

use diesel::prelude::*;

use super::opaque::OpaqueToken;
use super::policy::Refreshable;
use super::refresh_token::RefreshToken;
use crate::db::schema::{accounts, memberships, sessions};
use crate::organisations::Organisation;
use crate::types::{AccountId, Email, OrgId, SessionId, Timestamp, UserId};
use crate::users::User;

/// One person: one email, one password.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = accounts)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) email: Email,
    pub(crate) password_hash: String,
    /// How many passwords it has had.
    pub(crate) password_version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// The directory's note that an account has a user in an organisation. The organisation's own store
/// says whether that is so.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships)]
pub(crate) struct Membership {
    pub(crate) account_id: AccountId,
    pub(crate) org_id: OrgId,
    pub(crate) user_id: UserId,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used_at: Timestamp,
}

/// A sign-in of a user to one organisation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub(crate) struct Session {
    pub(crate) org_id: OrgId,
    pub(crate) id: SessionId,
    pub(crate) user_id: UserId,
    /// The account's password version that it was started under.
    pub(crate) password_version: i64,
    /// The hash of the refresh token that counts.
    pub(crate) refresh_hash: Vec<u8>,
    /// How many refresh tokens came before that.
    pub(crate) refresh_generation: i64,
    /// The hash of the one before.
    pub(crate) previous_hash: Option<Vec<u8>>,
    pub(crate) rotated_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl Session {
    /// What a presented refresh token is judged by.
    pub(super) fn refreshable(&self) -> Refreshable<'_> {
        Refreshable {
            refresh_hash: &self.refresh_hash,
            refresh_generation: self.refresh_generation,
            previous_hash: self.previous_hash.as_deref(),
            rotated_at: self.rotated_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
        }
    }
}

/// A session that is about to begin, with its first refresh token.
pub(crate) struct Opening {
    pub(crate) session: Session,
    pub(crate) token: RefreshToken,
}

/// A pair of tokens.
#[derive(Debug)]
pub(crate) struct TokenPair {
    pub(crate) access_token: String,
    pub(crate) refresh_token: OpaqueToken,
    /// How long the access token lives, in seconds.
    pub(crate) expires_in: u64,
}

/// Somebody who has just signed in.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) tokens: TokenPair,
    pub(crate) session: SessionId,
    pub(crate) user: User,
    pub(crate) organisation: Organisation,
}
