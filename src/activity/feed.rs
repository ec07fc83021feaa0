//! Reading the log as a feed.

use anyhow::Context as _;
use serde_json::value::RawValue;

use super::model::ActivityRow;
use super::queries::feed::{Filter, ListFeed};
use crate::app::App;
use crate::db::Conn;
use crate::error::Result;
use crate::http::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::{Fields, FromFields, Member, Page};
use crate::types::{InvalidText, OrgId, Role, Seq, UserId};

/// Who reads a log.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Of which organisation.
    pub org: OrgId,
    /// Their membership in it.
    pub user: UserId,
    /// Their present role, which decides what they may see.
    pub role: Role,
}

/// Which part of the log is asked for.
#[derive(Debug)]
pub struct FeedQuery {
    /// Where it begins, and in which direction it goes.
    pub from: From,
    /// Only what is of this type.
    pub kind: Option<ActivityType>,
    /// Only what this user did.
    pub actor: Option<UserId>,
    /// Most activities on a page.
    pub limit: i64,
}

/// Where a page begins, and in which direction it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The newest, or what is older than this: newest first.
    Before(Option<Seq>),
    /// What is newer than this: oldest first.
    After(Seq),
}

/// The name of a type of activity. One that no activity has finds nothing.
#[derive(Debug)]
pub struct ActivityType(String);

impl ActivityType {
    /// The name itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ActivityType {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err(InvalidText::new("must be a type such as BROADCAST_MESSAGE"))
        }
    }
}

impl FromFields for FeedQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let mut seq = |name: &str| fields.optional_integer(name, 0, i64::MAX).and_then(Seq::new);
        let (before, after, cursor) = (seq("before"), seq("after"), seq("cursor"));
        if before.is_some() && after.is_some() {
            fields.reject("after", "cannot be given together with before");
        }
        let from = match after {
            // The next page is asked for with the same query and the cursor.
            Some(after) => From::After(cursor.unwrap_or(after)),
            None => From::Before(cursor.or(before)),
        };
        let kind = fields.optional("type");
        let actor = fields.optional_id("actorId");
        let limit = fields.optional_integer("limit", 1, MAX_LIMIT);
        Some(Self { from, kind, actor, limit: limit.unwrap_or(DEFAULT_LIMIT) })
    }
}

/// Bytes of payloads on a page, unless one activity alone has more: a page is held in memory for as long as
/// its reader takes.
const MAX_PAGE_BYTES: usize = 1 << 20;

/// How many of the rows have at most so many bytes of payload together; at least one.
fn count_within(rows: &[ActivityRow], max_bytes: usize) -> i64 {
    let mut bytes = 0;
    let within = rows.iter().take_while(|row| {
        bytes += row.payload.len();
        bytes <= max_bytes
    });
    i64::try_from(within.count()).unwrap_or(i64::MAX).max(1)
}

/// A page of the activities that the caller may see in their present role, as the bytes that every
/// protocol sends.
pub(crate) async fn list(app: &App, member: &Member, query: &FeedQuery) -> Result<Page<Box<RawValue>>> {
    let reader = Reader { org: member.org, user: member.user, role: member.role };
    let asked = list_feed(reader, query);
    let (tx, rows) = app.db.org(member.org).begin_read_with(asked).await?;
    tx.finish(to_page(rows, query)).await
}

/// The same for any reader. It takes several queries, so `conn` has to show them one snapshot.
pub async fn read_page(conn: &mut Conn, reader: Reader, query: &FeedQuery) -> Result<Page<Box<RawValue>>> {
    to_page(list_feed(reader, query).run(conn).await?, query)
}

/// The question for a page and one more, which shows whether there are others.
fn list_feed(reader: Reader, query: &FeedQuery) -> ListFeed<'_> {
    ListFeed { filter: Filter { reader, query }, limit: query.limit + 1 }
}

fn to_page(rows: Vec<ActivityRow>, query: &FeedQuery) -> Result<Page<Box<RawValue>>> {
    let limit = query.limit.min(count_within(&rows, MAX_PAGE_BYTES));
    let Page { items, next_cursor } = Page::new(rows, limit, |row| row.seq.to_string());
    let raw = |row: &ActivityRow| -> Result<Box<RawValue>> {
        let text = String::from_utf8(row.to_json()?.into()).context("an activity is not UTF-8")?;
        Ok(RawValue::from_string(text).context("an activity is not JSON")?)
    };
    let items = items.iter().map(raw).collect::<Result<_>>()?;
    Ok(Page { items, next_cursor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, FieldError};

    fn parse(pairs: &[(&str, &str)]) -> Result<FeedQuery, Vec<FieldError>> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Fields::parse_query(pairs.collect()).map_err(|error| match error {
            Error::Invalid(errors) => errors,
            other => panic!("{other}"),
        })
    }

    fn seq(value: i64) -> Seq {
        Seq::new(value).unwrap()
    }

    #[test]
    fn the_cursor_goes_on_in_the_same_direction() {
        for (pairs, expected) in [
            (&[][..], From::Before(None)),
            (&[("before", "7")], From::Before(Some(seq(7)))),
            (&[("cursor", "5")], From::Before(Some(seq(5)))),
            (&[("before", "7"), ("cursor", "5")], From::Before(Some(seq(5)))),
            (&[("after", "0")], From::After(Seq::ZERO)),
            (&[("after", "7"), ("cursor", "9")], From::After(seq(9))),
        ] {
            assert_eq!(parse(pairs).unwrap().from, expected, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_no_seq_is_refused() {
        for bad in ["-1", "9223372036854775808", "x", "1.0", "", "+1"] {
            for name in ["before", "after", "cursor"] {
                assert_eq!(parse(&[(name, bad)]).unwrap_err()[0].field, name, "{bad:?}");
            }
        }
        assert!(parse(&[("before", "9223372036854775807")]).is_ok());
        assert_eq!(parse(&[("before", "1"), ("after", "2")]).unwrap_err().len(), 1);
        let wrong = [("type", "a b"), ("actorId", "me"), ("limit", "201"), ("form", "x")];
        assert_eq!(parse(&wrong).unwrap_err().len(), 4);
    }
}
