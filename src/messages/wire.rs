//! What the routes of messages take and answer.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::model::{Attempt, Message, Outcome, Status, recipient};
use crate::error::{Error, FieldError, Problem};
use crate::gateways::BreakerState;
use crate::http::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::{Fields, FromFields};
use crate::types::{self, Channel, InvalidText, MessageId, Timestamp, UserId};

/// Most messages of a batch.
pub(super) const MAX_BATCH: usize = 1000;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
pub(crate) struct SendMessage {
    /// To whom: a number as of E.164 (`sms`), an address (`email`), a device's token (`push`), a URL (`webhook`).
    #[schema(value_type = String, min_length = 1, max_length = 2048, pattern = "^[^\\u0000]*$",
        example = "+1234567890")]
    pub(super) to: Recipient,
    pub(super) channel: Channel,
    /// 1 to 4,096 characters.
    #[schema(value_type = String, min_length = 1, max_length = 4096, pattern = "^[^\\u0000]*$",
        example = "Hello World")]
    pub(super) body: types::Message,
}

/// Who a message is for, before it is known on which channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient(String);

impl TryFrom<String> for Recipient {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if (1..=2048).contains(&text.chars().count()) && !text.contains('\0') {
            Ok(Self(text))
        } else {
            Err(InvalidText::new("must have 1 to 2048 characters, and none of them NUL"))
        }
    }
}

impl SendMessage {
    /// Who it is for, as it is kept. Fails with the field where its channel reaches nobody by that.
    pub(super) fn recipient(&self) -> Result<String, Error> {
        recipient(self.channel, &self.to.0).map_err(|error| Error::invalid("to", error.to_string()))
    }
}

impl FromFields for SendMessage {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let to = fields.required("to");
        let channel = fields.required("channel");
        let body = fields.required("body");
        Some(Self { to: to?, channel: channel?, body: body? })
    }
}

/// One message, with everything that is wrong with it.
#[derive(Debug)]
pub(crate) struct SendOne(pub(super) SendMessage, pub(super) String);

impl FromFields for SendOne {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let message = SendMessage::from_fields(fields)?;
        match message.recipient() {
            Ok(to) => Some(Self(message, to)),
            Err(Error::Invalid(errors)) => {
                for FieldError { field, message } in errors {
                    fields.reject(&field, message);
                }
                None
            }
            Err(_) => None,
        }
    }
}

/// Messages to be sent.
#[derive(Debug, ToSchema)]
pub(crate) struct SendMessages {
    /// 1 to 1,000.
    #[schema(min_items = 1, max_items = 1000)]
    pub(super) messages: Vec<SendMessage>,
}

impl FromFields for SendMessages {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let items = fields.required_array("messages", 1, MAX_BATCH)?;
        let mut messages = Vec::with_capacity(items.len());
        for (place, item) in items.into_iter().enumerate() {
            match Fields::parse_json(item) {
                Ok(message) => messages.push(message),
                Err(Error::Invalid(errors)) => fields.reject_inside(&format!("messages.{place}"), errors),
                Err(_) => {}
            }
        }
        Some(Self { messages })
    }
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Message)]
pub(crate) struct MessageBody<'a> {
    id: MessageId,
    to: Cow<'a, str>,
    channel: Channel,
    body: Cow<'a, str>,
    status: Status,
    /// What it costs, in credits.
    price: i64,
    /// The user who sends it.
    created_by: UserId,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a Message> for MessageBody<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            id: message.id,
            to: Cow::Borrowed(&message.recipient),
            channel: message.channel,
            body: Cow::Borrowed(&message.body),
            status: message.status,
            price: message.price,
            created_by: message.created_by,
            created_at: message.created_at,
            updated_at: message.updated_at,
        }
    }
}

impl From<Message> for MessageBody<'static> {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            to: Cow::Owned(message.recipient),
            channel: message.channel,
            body: Cow::Owned(message.body),
            status: message.status,
            price: message.price,
            created_by: message.created_by,
            created_at: message.created_at,
            updated_at: message.updated_at,
        }
    }
}

/// What became of a message of a batch: it is queued, or refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchResult<'a> {
    /// The status that it would have had alone: 201, 402 or 422.
    #[schema(example = 201)]
    pub(super) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<MessageBody<'a>>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<Problem>,
}

/// What became of the messages of a batch, in their order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchBody<'a> {
    pub(super) results: Vec<BatchResult<'a>>,
    /// How many are queued.
    pub(super) queued: usize,
    /// How many are refused.
    pub(super) refused: usize,
}

/// An attempt to send a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MessageAttempt)]
pub(crate) struct AttemptBody {
    number: i64,
    gateway: String,
    started_at: Timestamp,
    /// Null while it is under way.
    #[schema(required)]
    ended_at: Option<Timestamp>,
    /// Null while it is under way. `UNKNOWN`: who made it went away, and the message may have left.
    #[schema(required)]
    outcome: Option<Outcome>,
    /// What the gateway said.
    #[schema(required)]
    detail: Option<String>,
}

impl From<Attempt> for AttemptBody {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            gateway: attempt.gateway,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome,
            detail: attempt.detail,
        }
    }
}

/// A message and the attempts to send it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageWithAttempts)]
pub(crate) struct MessageDetail {
    #[serde(flatten)]
    pub(super) message: MessageBody<'static>,
    pub(super) attempts: Vec<AttemptBody>,
}

/// The gateway of a channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Gateway)]
pub(crate) struct GatewayBody {
    pub(super) channel: Channel,
    #[schema(example = "simulated")]
    pub(super) gateway: &'static str,
    /// Whether it only says that it has sent something.
    pub(super) simulated: bool,
    /// The organisation's circuit breaker, as this node has it.
    pub(super) breaker: BreakerState,
    /// What a message on this channel costs, in credits.
    pub(super) price: i64,
}

/// The gateways, one for each channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Gateways)]
pub(crate) struct GatewaysBody {
    pub(super) items: Vec<GatewayBody>,
}

/// Which messages are asked for.
#[derive(Debug)]
pub(crate) struct MessagesQuery {
    pub(super) status: Option<Status>,
    pub(super) channel: Option<Channel>,
    pub(super) recipient: Option<Recipient>,
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) after: Option<(Timestamp, MessageId)>,
    pub(super) limit: i64,
}

impl MessagesQuery {
    /// The recipient as it is kept, where it can be told.
    pub(super) fn kept_recipient(&self) -> Option<String> {
        let given = &self.recipient.as_ref()?.0;
        let channels = self.channel.map_or(Channel::ALL.to_vec(), |channel| vec![channel]);
        let kept = channels.into_iter().find_map(|channel| recipient(channel, given).ok());
        Some(kept.unwrap_or_else(|| given.clone()))
    }
}

struct Cursor(Timestamp, MessageId);

impl TryFrom<String> for Cursor {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once('_').and_then(|(at, id)| {
            let at = at.parse().ok().filter(|at| (0..=i64::MAX / 1_000_000).contains(at))?;
            Some(Self(Timestamp::from_millis(at), id.parse().ok()?))
        });
        parsed.ok_or_else(|| InvalidText::new("must be the nextCursor of the page before"))
    }
}

/// Where a page of messages ends.
pub(super) fn cursor(message: &Message) -> String {
    format!("{}_{}", message.created_at.as_millis(), message.id)
}

impl FromFields for MessagesQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let status = fields.optional("status");
        let channel = fields.optional("channel");
        let recipient = fields.optional("recipient");
        let (from, until) = (fields.optional_moment("from"), fields.optional_moment("to"));
        let after: Option<Cursor> = fields.optional("cursor");
        let limit = fields.optional_integer("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let after = after.map(|Cursor(at, id)| (at, id));
        Some(Self { status, channel, recipient, from, until, after, limit })
    }
}

/// The same, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes `MessagesQuery` in the OpenAPI document; it is never made")]
pub(crate) struct MessagesParams {
    /// Only messages that stand there.
    status: Option<Status>,
    /// Only messages on this channel.
    channel: Option<Channel>,
    /// Only messages to this recipient.
    #[param(min_length = 1, max_length = 2048)]
    recipient: Option<String>,
    /// Only messages from then or later.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Only messages from before then.
    #[param(format = DateTime)]
    to: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}
