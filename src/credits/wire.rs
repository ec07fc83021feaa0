//! What the routes of credits answer.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::changes::MAX_CHANGE;
use super::model::{Account, Entry, EntryKind};
use crate::http::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::{Fields, FromFields};
use crate::types::{Channel, CreditReason, InvalidText, MessageId, OrgId, Timestamp};

/// What an organisation may spend.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Credits)]
pub(crate) struct CreditsBody {
    /// What may be spent.
    #[schema(minimum = 0)]
    balance: i64,
    /// What is put aside for messages on their way.
    #[schema(minimum = 0)]
    reserved: i64,
    /// What the organisation started with.
    initial: i64,
    /// At this balance the admins are told by `CREDITS_LOW`: a fifth of `initial`.
    low_at: i64,
}

impl From<Account> for CreditsBody {
    fn from(account: Account) -> Self {
        Self {
            low_at: account.low_at(),
            balance: account.balance,
            reserved: account.reserved,
            initial: account.initial,
        }
    }
}

/// An entry of the ledger.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CreditEntry)]
pub(crate) struct EntryBody {
    /// Its place in the ledger: 1, 2, 3 …
    seq: i64,
    kind: EntryKind,
    /// What it adds to the balance.
    amount: i64,
    /// The balance after it.
    balance: i64,
    /// The message that it is for.
    #[schema(required)]
    message_id: Option<MessageId>,
    /// Why, where somebody decided it.
    #[schema(required)]
    reason: Option<String>,
    created_at: Timestamp,
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        Self {
            seq: entry.seq,
            kind: entry.kind,
            amount: entry.amount,
            balance: entry.balance,
            message_id: entry.message_id,
            reason: entry.reason,
            created_at: entry.created_at,
        }
    }
}

/// What somebody decides about an organisation's credits.
#[derive(Debug, ToSchema)]
pub(crate) struct ChangeCredits {
    #[schema(value_type = ChangeKind)]
    pub(crate) kind: EntryKind,
    /// How many credits: of a top-up above zero, of an adjustment below zero where it takes away.
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64, example = 50)]
    pub(crate) amount: i64,
    pub(crate) reason: CreditReason,
}

/// What is decided: credits are bought or given, or corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ChangeKind {
    /// Bought, or given.
    TopUp,
    /// Corrected.
    Adjustment,
}

impl TryFrom<String> for ChangeKind {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "TOP_UP" => Ok(Self::TopUp),
            "ADJUSTMENT" => Ok(Self::Adjustment),
            _ => Err(InvalidText::new("must be TOP_UP or ADJUSTMENT")),
        }
    }
}

impl FromFields for ChangeCredits {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let kind = fields.required("kind");
        let least = if kind == Some(ChangeKind::TopUp) { 1 } else { -MAX_CHANGE };
        let amount = fields.required_integer("amount", least, MAX_CHANGE);
        if amount == Some(0) {
            fields.reject("amount", "must not be zero");
        }
        let reason = fields.required("reason");
        let kind = match kind? {
            ChangeKind::TopUp => EntryKind::TopUp,
            ChangeKind::Adjustment => EntryKind::Adjustment,
        };
        Some(Self { kind, amount: amount?, reason: reason? })
    }
}

/// How many messages of an organisation stand where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MessageTotals)]
pub(crate) struct TotalsOf {
    pub(crate) organisation_id: OrgId,
    pub(crate) totals: Vec<Total>,
}

/// How many messages there are on a channel, in a status.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageTotal)]
pub(crate) struct Total {
    pub(crate) channel: Channel,
    /// `QUEUED` (on their way), `SENT`, `FAILED` or `CANCELLED`.
    #[schema(example = "SENT")]
    pub(crate) status: String,
    #[schema(minimum = 0)]
    pub(crate) count: i64,
}

/// Which page of the ledger.
#[derive(Debug)]
pub(crate) struct EntriesQuery {
    pub(crate) before: i64,
    pub(crate) limit: i64,
}

impl FromFields for EntriesQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let before = fields.optional_integer("cursor", 0, i64::MAX).unwrap_or(i64::MAX);
        let limit = fields.optional_integer("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        Some(Self { before, limit })
    }
}

/// The same, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes `EntriesQuery` in the OpenAPI document; it is never made")]
pub(crate) struct EntriesParams {
    /// The `nextCursor` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}
