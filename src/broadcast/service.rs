//! Sending a broadcast.

use serde_json::{Map, Value};

use crate::activity::{Activity, Appended};
use crate::app::App;
use crate::error::Result;
use crate::http::Admin;
use crate::idempotency::{Answer, Once};
use crate::types::{Audience, Message};

/// Appends a message to the log, from where it reaches every member, and answers with the activity.
pub(crate) async fn send(
    app: &App,
    admin: &Admin,
    message: Message,
    data: Option<Map<String, Value>>,
    once: &Once,
) -> Result<Answer> {
    let broadcast = Activity::BroadcastMessage { message, data, audience: Audience::Everyone };
    match app.writer.append_once(admin.origin(app.clock.now()), broadcast, once.to_claim()).await? {
        Appended::Entry(entry) => Ok(Answer::created_json(entry.json.clone())),
        Appended::Again(answer) => Ok(answer),
    }
}
