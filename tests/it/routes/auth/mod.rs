//! `/auth/*`.

mod login;
mod logout;
mod many_sessions;
mod me;
mod organisations;
mod password;
mod refresh;
mod refresh_reuse;
mod register;
mod switch;
