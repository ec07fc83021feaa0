//! Sockets.

mod access;
mod audience;
mod auth;
mod crowd;
mod frames;
mod handshake;
mod live;
mod protocol;
mod resume;
mod roles;
mod slow;
mod stop;
mod stream;
mod watermark;

use roomcast::activity::Activity;
use roomcast::types::{Audience, Message};

use crate::harness::Delivered;

pub(crate) fn texts(delivered: &[Delivered]) -> Vec<&str> {
    delivered.iter().map(|one| one.text.as_str()).collect()
}

/// A message to an audience of the test's choice, which no route sends yet.
pub(crate) fn message_to(audience: Audience, text: impl Into<String>) -> Activity {
    Activity::BroadcastMessage { message: Message::try_from(text.into()).unwrap(), data: None, audience }
}
