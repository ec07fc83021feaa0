//! The activity feed as a member reads it.

use serde_json::Value;
use serde_json::value::RawValue;

use super::client::Client;
use super::organisation::Person;

/// One activity of a feed.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Its bytes.
    pub(crate) text: String,
    /// What they mean.
    pub(crate) json: Value,
}

impl Item {
    /// An activity from its bytes.
    pub(crate) fn parse(text: &str) -> Self {
        let json = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { text: text.to_owned(), json }
    }

    pub(crate) fn seq(&self) -> i64 {
        self.json["seq"].as_i64().unwrap()
    }

    pub(crate) fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap()
    }

    pub(crate) fn payload(&self) -> &Value {
        &self.json["payload"]
    }

    /// Fails unless this person did it, under the name that they have.
    #[track_caller]
    pub(crate) fn expect_actor(&self, person: &Person) -> &Self {
        let expected = serde_json::json!({ "id": person.id, "name": person.name });
        assert_eq!(self.json["actor"], expected, "{}", self.text);
        self
    }

    /// Fails unless it was done to this.
    #[track_caller]
    pub(crate) fn expect_target(&self, id: &str, name: &str) -> &Self {
        let expected = serde_json::json!({ "id": id, "name": name });
        assert_eq!(self.json["target"], expected, "{}", self.text);
        self
    }

    /// Fails unless its payload is exactly this.
    #[track_caller]
    pub(crate) fn expect_payload(&self, payload: &Value) -> &Self {
        assert_eq!(self.payload(), payload, "{}", self.text);
        self
    }
}

/// What a member may see of the log, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Feed(pub(crate) Vec<Item>);

impl Feed {
    /// All activities of a type.
    pub(crate) fn of_type(&self, kind: &str) -> Vec<&Item> {
        self.0.iter().filter(|item| item.kind() == kind).collect()
    }

    /// The only activity of a type.
    #[track_caller]
    pub(crate) fn only(&self, kind: &str) -> &Item {
        let found = self.of_type(kind);
        assert_eq!(found.len(), 1, "one {kind} expected among {:?}", self.kinds());
        found[0]
    }

    /// Fails if there is an activity of this type.
    #[track_caller]
    pub(crate) fn expect_none(&self, kind: &str) {
        assert!(self.of_type(kind).is_empty(), "no {kind} expected among {:?}", self.kinds());
    }

    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.0.iter().map(Item::kind).collect()
    }

    pub(crate) fn seqs(&self) -> Vec<i64> {
        self.0.iter().map(Item::seq).collect()
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|item| item.text.as_str()).collect()
    }
}

/// A page of the feed, its items as they came.
pub(crate) fn parse_page(text: &str) -> (Vec<Item>, Option<String>) {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        items: Vec<Box<RawValue>>,
        next_cursor: Option<String>,
    }
    let page: Page = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (page.items.iter().map(|item| Item::parse(item.get())).collect(), page.next_cursor)
}

impl Client {
    /// All that a member may see after `seq`, oldest first.
    pub(crate) async fn feed_after(&self, person: &Person, seq: i64) -> Feed {
        let caller = self.as_user(person);
        let mut items = Vec::new();
        let mut next = Some(seq.to_string());
        while let Some(after) = next {
            let answer = caller.get(format!("/activities?after={after}&limit=200")).await.expect_status(200);
            let (page, cursor) = parse_page(&answer.text);
            items.extend(page);
            next = cursor;
        }
        Feed(items)
    }

    /// All that a member may see, oldest first.
    pub(crate) async fn feed(&self, person: &Person) -> Feed {
        self.feed_after(person, 0).await
    }

    /// The last `seq` that a member may see.
    pub(crate) async fn head(&self, person: &Person) -> i64 {
        let answer = self.as_user(person).get("/activities?limit=1").await.expect_status(200);
        answer.items().first().map_or(0, |item| item["seq"].as_i64().unwrap())
    }
}
