//! The log as it is at the end, and what each user may see of it by the contract.

use std::collections::HashMap;

use roomcast_client::{Claim, Expected, digest};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::harness::{Client, Person};

/// An entry, as far as the checker looks at it.
pub(super) struct Entry {
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) created_at: String,
    pub(super) digest: u64,
    details: Details,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    message: Option<String>,
    user_id: Option<String>,
    role: Option<String>,
    to: Option<String>,
}

/// Everything that was committed in one organisation, in its order.
pub(super) struct Log(pub(super) Vec<Entry>);

/// To whom an entry is addressed.
enum Audience<'a> {
    Everyone,
    Admins,
    AdminsAnd(&'a str),
    AllBut(&'a str),
}

impl Log {
    /// Reads it as an admin, who may see all of it.
    pub(super) async fn read(node: &Client, admin: &Person) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page<'a> {
            #[serde(borrow)]
            items: Vec<&'a RawValue>,
            next_cursor: Option<String>,
        }
        let (mut entries, mut next) = (Vec::new(), Some("0".to_owned()));
        while let Some(after) = next {
            let path = format!("/activities?after={after}&limit=200");
            let answer = node.as_user(admin).get(path).await.expect_status(200);
            let page: Page<'_> = serde_json::from_str(&answer.text).unwrap();
            entries.extend(page.items.iter().map(|item| Entry::parse(item.get())));
            next = page.next_cursor;
        }
        Self(entries)
    }

    /// Fails unless `seq` is dense from 1, no id comes twice and time never runs backwards.
    pub(super) fn expect_sound(&self) {
        for (entry, seq) in self.0.iter().zip(1..) {
            assert_eq!(entry.seq, seq, "the log is not dense");
        }
        let ids: std::collections::HashSet<&str> = self.0.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids.len(), self.0.len(), "an id comes twice");
        assert!(self.0.is_sorted_by(|one, next| one.created_at <= next.created_at), "time runs backwards");
    }

    /// Fails unless it has exactly the broadcasts that were acknowledged, once and as they were answered.
    pub(super) fn expect_acknowledged(&self, acknowledged: &HashMap<String, (i64, u64)>) {
        let mut missing = acknowledged.clone();
        for entry in self.0.iter().filter(|entry| entry.kind == "BROADCAST_MESSAGE") {
            let message = entry.details.message.as_deref().unwrap();
            let Some((seq, digest)) = missing.remove(message) else {
                panic!("{message:?} at {} was not acknowledged, or is there twice", entry.seq);
            };
            assert_eq!(seq, entry.seq, "{message:?} is not where it was acknowledged to be");
            assert_eq!(digest, entry.digest, "{message:?} is not as it was answered");
        }
        assert!(missing.is_empty(), "acknowledged and not in the log: {missing:?}");
    }

    /// What a user may see. What came before `position`, up to which they were served, is owed to them.
    pub(super) fn addressed_to(&self, user: &str, position: i64) -> Vec<Expected> {
        let roles = self.roles_of(user);
        let last_demotion = roles.iter().rfind(|(_, role)| *role != "ADMIN").map_or(0, |(seq, _)| *seq);
        let removed_at = self.0.iter().find(|entry| entry.removes(user)).map_or(i64::MAX, |entry| entry.seq);
        let mut expected = Vec::new();
        for entry in self.0.iter().take_while(|entry| entry.seq < removed_at) {
            let until = roles.partition_point(|(seq, _)| *seq <= entry.seq);
            // Before they came, they are what they came as.
            let is_admin = roles[until.saturating_sub(1)].1 == "ADMIN";
            // A demotion counts as soon as it is known, and so for what is on its way.
            let as_admin = if last_demotion > entry.seq { Claim::Allowed } else { Claim::Owed };
            let claim = match entry.audience() {
                Audience::Everyone => Some(Claim::Owed),
                Audience::AdminsAnd(named) if named == user => Some(Claim::Owed),
                Audience::AllBut(named) => (named != user).then_some(Claim::Owed),
                Audience::Admins | Audience::AdminsAnd(_) => is_admin.then_some(as_admin),
            };
            let Some(claim) = claim else { continue };
            let claim = if entry.seq > position { Claim::Allowed } else { claim };
            expected.push(Expected { seq: entry.seq, digest: entry.digest, claim });
        }
        expected
    }

    /// Whether a user was removed.
    pub(super) fn has_removed(&self, user: &str) -> bool {
        self.0.iter().any(|entry| entry.removes(user))
    }

    /// A user's roles over the log, at least the one with which they came.
    fn roles_of(&self, user: &str) -> Vec<(i64, &str)> {
        let concerns = |entry: &&Entry| entry.details.user_id.as_deref() == Some(user);
        let mut roles: Vec<(i64, &str)> = Vec::new();
        for entry in self.0.iter().filter(concerns) {
            let Details { role, to, .. } = &entry.details;
            match entry.kind.as_str() {
                "USER_JOINED" => roles.push((entry.seq, role.as_deref().unwrap())),
                "USER_ROLE_CHANGED" => roles.push((entry.seq, to.as_deref().unwrap())),
                _ => {}
            }
        }
        assert!(!roles.is_empty(), "{user} has never come");
        roles
    }
}

impl Entry {
    fn parse(text: &str) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            seq: i64,
            id: String,
            #[serde(rename = "type")]
            kind: String,
            created_at: String,
            payload: Details,
        }
        let Wire { seq, id, kind, created_at, payload } =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { seq, id, kind, created_at, digest: digest(text), details: payload }
    }

    fn removes(&self, user: &str) -> bool {
        self.kind == "USER_REMOVED" && self.details.user_id.as_deref() == Some(user)
    }

    /// As the contract's table says.
    fn audience(&self) -> Audience<'_> {
        let user = || self.details.user_id.as_deref().unwrap();
        match self.kind.as_str() {
            "USER_INVITED" | "INVITE_REVOKED" => Audience::Admins,
            "SESSION_STARTED" | "SESSION_ENDED" | "PASSWORD_CHANGED" => Audience::AdminsAnd(user()),
            "USER_REMOVED" => Audience::AllBut(user()),
            _ => Audience::Everyone,
        }
    }
}
