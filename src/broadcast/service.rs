//! Sending a broadcast.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::activity::Activity;
use crate::app::App;
use crate::error::Result;
use crate::http::Admin;
use crate::types::{Audience, LogEntry, Message};

/// Appends a message to the log, from where it reaches every member.
pub(crate) async fn send(
    app: &App,
    admin: &Admin,
    message: Message,
    data: Option<Map<String, Value>>,
) -> Result<Arc<LogEntry>> {
    let broadcast = Activity::BroadcastMessage { message, data, audience: Audience::Everyone };
    app.writer.append(admin.origin(app.clock.now()), broadcast).await
}
