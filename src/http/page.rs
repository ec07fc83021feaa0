//! Lists: a page of items, and where the next begins.

use serde::Serialize;
use utoipa::ToSchema;

use super::fields::{Fields, FromFields};

/// Items on a page unless the caller says otherwise.
pub const DEFAULT_LIMIT: i64 = 50;

/// Most items on a page.
pub const MAX_LIMIT: i64 = 200;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; null where this is the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` items, made from a query that asked for one more, which tells whether
    /// there is a next page. `cursor` gives the place after an item.
    pub fn new(mut items: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(cursor);
        Self { items, next_cursor }
    }

    /// The same page of other items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next_cursor: self.next_cursor }
    }
}

/// Which page of a list, as a query asks for it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes `PageQuery` in the OpenAPI document; it is never made")]
pub(crate) struct PageParams {
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// Which page of a list whose items are ordered by id.
#[derive(Debug)]
pub struct PageQuery {
    /// The id after which the page begins, as the last page's `nextCursor` gave it.
    pub after: Option<uuid::Uuid>,
    /// Most items on it.
    pub limit: i64,
}

impl FromFields for PageQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let cursor: Option<IdCursor> = fields.optional("cursor");
        let limit = fields.optional_integer("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        Some(Self { after: cursor.map(|cursor| cursor.0), limit })
    }
}

struct IdCursor(uuid::Uuid);

impl TryFrom<String> for IdCursor {
    type Error = crate::types::InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let invalid = |_| crate::types::InvalidText::new("must be the nextCursor of the page before");
        uuid::Uuid::try_parse(&text).map(Self).map_err(invalid)
    }
}
