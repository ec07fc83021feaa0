//! Accounts, entries and reservations.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};

use crate::db::schema::{credit_accounts, credit_entries, credit_reservations};
use crate::types::sql::text_column;
use crate::types::{Channel, InvalidText, MessageId, OrgId, Timestamp};

/// Of how many parts of the credits that an organisation started with the last one is a low balance: 20 %.
const LOW_PART: i64 = 5;

/// Where an organisation's ledger stands.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = credit_accounts)]
pub(crate) struct Account {
    pub(crate) org_id: OrgId,
    pub(crate) initial: i64,
    pub(crate) balance: i64,
    pub(crate) reserved: i64,
    pub(crate) last_seq: i64,
    pub(crate) low_since: Option<Timestamp>,
    pub(crate) untold_seq: Option<i64>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Account {
    /// The balance at which an organisation is told that it is low.
    pub(crate) fn low_at(&self) -> i64 {
        self.initial / LOW_PART
    }

    /// Appends an entry: the row, with the account moved to it.
    pub(super) fn append(&mut self, kind: EntryKind, amount: i64, at: Timestamp) -> Entry {
        self.balance += amount;
        self.last_seq += 1;
        self.updated_at = self.updated_at.max(at);
        Entry {
            org_id: self.org_id,
            seq: self.last_seq,
            kind,
            amount,
            balance: self.balance,
            message_id: None,
            reason: None,
            created_at: self.updated_at,
        }
    }
}

/// Why the balance changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromSqlRow, AsExpression, utoipa::ToSchema)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum EntryKind {
    /// What the plan starts with.
    Initial,
    /// Put aside for a message.
    Reserved,
    /// The message was sent: what was put aside is spent.
    Settled,
    /// The message was not sent: what was put aside is back.
    Refunded,
    /// Bought, or given.
    TopUp,
    /// Corrected.
    Adjustment,
}

impl EntryKind {
    const ALL: [Self; 6] =
        [Self::Initial, Self::Reserved, Self::Settled, Self::Refunded, Self::TopUp, Self::Adjustment];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "INITIAL",
            Self::Reserved => "RESERVED",
            Self::Settled => "SETTLED",
            Self::Refunded => "REFUNDED",
            Self::TopUp => "TOP_UP",
            Self::Adjustment => "ADJUSTMENT",
        }
    }
}

impl TryFrom<String> for EntryKind {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| InvalidText::new("must be a kind of entry"))
    }
}

text_column!(EntryKind);

/// A row of the ledger.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = credit_entries, treat_none_as_default_value = false)]
pub(crate) struct Entry {
    pub(crate) org_id: OrgId,
    pub(crate) seq: i64,
    pub(crate) kind: EntryKind,
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) message_id: Option<MessageId>,
    pub(crate) reason: Option<String>,
    pub(crate) created_at: Timestamp,
}

/// What is put aside for a message.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = credit_reservations)]
pub(crate) struct Reservation {
    pub(crate) org_id: OrgId,
    pub(crate) message_id: MessageId,
    pub(crate) channel: Channel,
    pub(crate) amount: i64,
    pub(crate) created_at: Timestamp,
}

/// A message that is to be paid for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) message: MessageId,
    pub(crate) channel: Channel,
    pub(crate) price: i64,
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Closing {
    /// It was sent, and is paid for.
    Sent,
    /// It could not be sent.
    Failed,
    /// It was called off.
    Cancelled,
    /// It was never written.
    Unwritten,
}

impl Closing {
    pub(super) const fn entry(self) -> EntryKind {
        match self {
            Self::Sent => EntryKind::Settled,
            Self::Failed | Self::Cancelled | Self::Unwritten => EntryKind::Refunded,
        }
    }

    /// Under which status the message is counted from now on.
    pub(super) const fn status(self) -> Option<&'static str> {
        match self {
            Self::Sent => Some("SENT"),
            Self::Failed => Some("FAILED"),
            Self::Cancelled => Some("CANCELLED"),
            Self::Unwritten => None,
        }
    }
}

/// Under which status messages on their way are counted.
pub(super) const QUEUED: &str = "QUEUED";
