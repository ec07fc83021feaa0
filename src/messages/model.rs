//! The rows of messages and attempts, and who may receive what.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::Serialize;
use url::Url;

use crate::activity::MessageFacts;
use crate::db::schema::{message_attempts, messages};
use crate::types::sql::text_column;
use crate::types::{Channel, Email, InvalidText, JobId, MessageId, OrgId, Timestamp, UserId};

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, FromSqlRow, AsExpression, utoipa::ToSchema)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = MessageStatus)]
pub(crate) enum Status {
    /// It waits to be sent, or to be sent again.
    Queued,
    /// A gateway is told.
    Sending,
    /// A gateway has taken it.
    Sent,
    /// No gateway has taken it, and none will be asked again.
    Failed,
    /// It was called off before it was sent.
    Cancelled,
}

impl Status {
    const ALL: [Self; 5] = [Self::Queued, Self::Sending, Self::Sent, Self::Failed, Self::Cancelled];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Sending => "SENDING",
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl TryFrom<String> for Status {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let known = Self::ALL.into_iter().find(|status| status.as_str() == text);
        known.ok_or_else(|| InvalidText::new("must be QUEUED, SENDING, SENT, FAILED or CANCELLED"))
    }
}

text_column!(Status);

/// A message.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = messages)]
pub(crate) struct Message {
    pub(crate) org_id: OrgId,
    pub(crate) id: MessageId,
    pub(crate) recipient: String,
    pub(crate) channel: Channel,
    pub(crate) body: String,
    pub(crate) status: Status,
    pub(crate) price: i64,
    pub(crate) created_by: UserId,
    pub(crate) job_id: JobId,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Message {
    /// What its activities tell of it.
    pub(super) fn facts(&self) -> MessageFacts {
        MessageFacts {
            id: self.id,
            to: self.recipient.clone(),
            channel: self.channel,
            price: self.price,
            created_by: self.created_by,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, FromSqlRow, AsExpression, utoipa::ToSchema)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = AttemptOutcome)]
pub(crate) enum Outcome {
    /// The gateway has taken the message.
    Sent,
    /// The gateway will never take it.
    Rejected,
    /// The gateway could not take it then.
    Unavailable,
    /// Whoever made the attempt went away before its end: the message may have left.
    Unknown,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Sent, Self::Rejected, Self::Unavailable, Self::Unknown];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Rejected => "REJECTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl TryFrom<String> for Outcome {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let known = Self::ALL.into_iter().find(|outcome| outcome.as_str() == text);
        known.ok_or_else(|| InvalidText::new("must be an outcome"))
    }
}

text_column!(Outcome);

/// An attempt to send a message.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_attempts, treat_none_as_default_value = false)]
pub(crate) struct Attempt {
    pub(crate) org_id: OrgId,
    pub(crate) message_id: MessageId,
    pub(crate) number: i64,
    pub(crate) gateway: String,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) detail: Option<String>,
}

/// Checks who a message is for: E.164 for a text, an address for an email, a URL for a webhook, the token of a
/// device for a push. Returns it in the form in which it is kept.
pub(crate) fn recipient(channel: Channel, text: &str) -> Result<String, InvalidText> {
    match channel {
        Channel::Sms => phone(text),
        Channel::Email => Email::try_from(text.to_owned()).map(String::from),
        Channel::Push => {
            let fits = (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
            let invalid = || InvalidText::new("must be a device's token: 1 to 256 visible ASCII characters");
            fits.then(|| text.to_owned()).ok_or_else(invalid)
        }
        Channel::Webhook => url(text),
    }
}

/// A telephone number as ITU-T E.164 writes it.
fn phone(text: &str) -> Result<String, InvalidText> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let fits = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    let invalid =
        || InvalidText::new("must be a number as of E.164: + and 7 to 15 digits, such as +4930123456");
    fits.then(|| text.to_owned()).ok_or_else(invalid)
}

/// The longest URL, in bytes: what an index takes.
const MAX_URL: usize = 2048;

fn url(text: &str) -> Result<String, InvalidText> {
    let invalid = || {
        InvalidText::new("must be an http or https URL of at most 2,048 characters, without user or fragment")
    };
    let url = Url::parse(text).map_err(|_| invalid())?;
    // As it is kept, which may be three times as long as it was written.
    if url.as_str().len() > MAX_URL {
        return Err(invalid());
    }
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    plain.then(|| url.into()).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_channel_has_recipients_of_its_own() {
        for (channel, good, bad) in [
            (
                Channel::Sms,
                &["+1234567890", "+4930123456"][..],
                &["1234567890", "+0123456789", "+12 34567", "+", "+1234567890123456", ""][..],
            ),
            (Channel::Email, &["bo@example.com"], &["bo", "bo@", "", "a b@c"]),
            (Channel::Push, &["fcm:abc"], &["", "a b", "ä"]),
            (
                Channel::Webhook,
                &["https://example.com/hook?x=1", "http://[::1]:8080/"],
                &[
                    "ftp://example.com/",
                    "https://u:p@example.com/",
                    "https://example.com/#x",
                    "/hook",
                    "https://",
                    "",
                ],
            ),
        ] {
            for text in good {
                assert!(recipient(channel, text).is_ok(), "{channel:?} {text}");
            }
            for text in bad {
                assert!(recipient(channel, text).is_err(), "{channel:?} {text}");
            }
        }
        assert_eq!(recipient(Channel::Email, "Bo@Example.com").unwrap(), "bo@example.com");
        let url = format!("https://example.com/{}", "ä".repeat(500));
        assert!(recipient(Channel::Webhook, &url).is_err(), "it is kept as more than 2,048 bytes");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_accepted_again(text in ".{0,60}") {
            for channel in Channel::ALL {
                if let Ok(kept) = recipient(channel, &text) {
                    prop_assert_eq!(recipient(channel, &kept), Ok(kept));
                }
            }
        }
    }
}
