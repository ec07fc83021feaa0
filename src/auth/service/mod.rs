//! The rules of accounts, sign-in and sessions, one file for each noun.

pub(crate) mod accounts;
pub(crate) mod forgotten;
pub(crate) mod memberships;
pub(crate) mod profile;
pub(crate) mod recovery;
pub(crate) mod refresh;
pub(crate) mod sessions;
pub(crate) mod sign_in;

use crate::error::{Code, Error};

/// The session, or its user, is no more.
pub(crate) fn session_ended() -> Error {
    Error::refused(Code::SessionEnded, "The session has ended. Sign in again.")
}

/// Email or password is wrong; which of the two is not told.
pub(crate) fn credentials_invalid() -> Error {
    Error::refused(Code::CredentialsInvalid, "The email or the password is not right.")
}
