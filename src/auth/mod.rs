//! Who somebody is: accounts, sign-in, sessions and tokens.

pub mod hasher;
pub mod keys;
pub mod token;

pub use hasher::Hasher;
pub use token::{Claims, Tokens};
