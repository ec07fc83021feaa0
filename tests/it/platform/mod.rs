//! Whoever runs the platform: administrators, what they do to organisations, and the record of it.

mod acting;
mod administrators;
mod audit;
mod commands;
mod crashes;
mod credits;
mod founding;
mod races;
mod sign_in;
mod sign_up;
pub(crate) mod suspension;
mod tenant;
