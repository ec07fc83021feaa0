//! What was answered to every write, and whether the log and the state agree with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use parking_lot::Mutex;

use crate::harness::{Answer, Client, Item, Person};

/// What became of a write, as far as its sender knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Acknowledged: an activity's text, or an id.
    Done(String),
    /// Refused with 503: it did not happen.
    Refused,
    /// No answer came, or one that says that nobody knows. Also what is under way.
    Unknown,
}

/// How writes were answered.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) acknowledged: usize,
    pub(super) refused: usize,
    pub(super) unknown: usize,
}

/// How often what failed, by the kind of write and the code of the answer.
pub(super) type Failures = BTreeMap<(&'static str, String), usize>;

/// Everything that was written to one organisation.
#[derive(Default)]
pub(super) struct Ledger {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// By message.
    broadcasts: HashMap<String, Fate>,
    /// By email.
    invites: HashMap<String, Fate>,
    /// By the invite's id.
    revocations: HashMap<String, Fate>,
    roles: Counts,
    logins: Counts,
    /// The acknowledged ones, by id, with the token that goes on with each.
    sessions: BTreeMap<String, String>,
    /// Those that were looked at since.
    checked: BTreeSet<String>,
    counts: Counts,
    /// What was not acknowledged, by kind and code.
    failures: Failures,
}

/// What became of the writes whose answer was lost.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Resolved {
    /// They are there, wholly.
    pub(super) happened: usize,
    /// They are not there at all.
    pub(super) did_not: usize,
}

impl Resolved {
    pub(super) fn add(&mut self, other: Self) {
        self.happened += other.happened;
        self.did_not += other.did_not;
    }

    fn count(&mut self, happened: bool) {
        if happened {
            self.happened += 1;
        } else {
            self.did_not += 1;
        }
    }
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unknown += other.unknown;
    }

    fn count<T>(&mut self, outcome: &Outcome<T>) {
        match outcome {
            Outcome::Done(_) => self.acknowledged += 1,
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }
}

/// An answer to a write.
pub(super) enum Outcome<T> {
    Done(T),
    /// With this code.
    Refused(String),
    Unknown,
}

/// What an answer means. Fails on one that no outage explains.
pub(super) fn outcome(answer: Option<Answer>) -> Outcome<Answer> {
    let Some(answer) = answer else { return Outcome::Unknown };
    if (200..300).contains(&answer.status) {
        return Outcome::Done(answer);
    }
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.header("retry-after").is_some(), "no Retry-After: {}", answer.text);
    let code = answer.json()["code"].as_str().unwrap().to_owned();
    let known = ["store_unavailable", "access_unknown", "overloaded", "outcome_unknown"];
    assert!(known.contains(&code.as_str()), "{}", answer.text);
    if code == "outcome_unknown" { Outcome::Unknown } else { Outcome::Refused(code) }
}

fn fate<T>(outcome: &Outcome<T>, done: impl FnOnce(&T) -> String) -> Fate {
    match outcome {
        Outcome::Done(answer) => Fate::Done(done(answer)),
        Outcome::Refused(_) => Fate::Refused,
        Outcome::Unknown => Fate::Unknown,
    }
}

impl Ledger {
    pub(super) fn counts(&self) -> Counts {
        self.book.lock().counts
    }

    /// What was not acknowledged, by kind and code.
    pub(super) fn failures(&self) -> Failures {
        self.book.lock().failures.clone()
    }

    pub(super) fn broadcast(&self, message: &str, outcome: &Outcome<Answer>) {
        let mut book = self.book.lock();
        book.broadcasts.insert(message.to_owned(), fate(outcome, |answer| answer.text.clone()));
        book.count("broadcast", outcome);
    }

    pub(super) fn invite(&self, email: &str, outcome: &Outcome<Answer>) {
        let mut book = self.book.lock();
        let id = |answer: &Answer| answer.json()["id"].as_str().unwrap().to_owned();
        book.invites.insert(email.to_owned(), fate(outcome, id));
        book.count("invite", outcome);
    }

    pub(super) fn revocation(&self, invite: &str, outcome: &Outcome<Answer>) {
        let mut book = self.book.lock();
        book.revocations.insert(invite.to_owned(), fate(outcome, |_| String::new()));
        book.count("revocation", outcome);
    }

    pub(super) fn role(&self, outcome: &Outcome<Answer>) {
        let mut book = self.book.lock();
        book.roles.count(outcome);
        book.count("role", outcome);
    }

    pub(super) fn login(&self, outcome: &Outcome<Person>) {
        let mut book = self.book.lock();
        book.logins.count(outcome);
        if let Outcome::Done(session) = outcome {
            book.sessions.insert(session.session_id(), session.refresh_token.clone());
        }
        book.count("login", outcome);
    }

    /// An answer to the use of a session's token. Where it is lost, the old token still counts.
    pub(super) fn refresh(&self, session: &str, outcome: &Outcome<Answer>) {
        let mut book = self.book.lock();
        if let Outcome::Done(answer) = outcome {
            let token = answer.json()["refreshToken"].as_str().unwrap().to_owned();
            book.sessions.insert(session.to_owned(), token);
        }
        book.count("refresh", outcome);
    }

    /// Fails unless the log and the state are what the answers make of them. Returns what became of the writes
    /// without an answer.
    pub(super) async fn check(&self, client: &Client, admin: &Person, log: &[Item]) -> Resolved {
        expect_sound(log);
        let book = self.book.lock().copy();
        let mut resolved = Resolved::default();
        book.check_broadcasts(log, &mut resolved);
        book.check_invites(log, &open_invites(client, admin).await, &mut resolved);
        book.check_roles(log, &roles(client, admin).await, &mut resolved);
        book.check_logins(log, &mut resolved);
        resolved
    }

    /// Fails unless every acknowledged session that was not looked at yet lives, or every one there is.
    pub(super) async fn check_sessions(&self, client: &Client, every: bool) -> usize {
        let sessions = self.book.lock().sessions.clone();
        let mut looked = 0;
        for (session, token) in sessions {
            if !every && self.book.lock().checked.contains(&session) {
                continue;
            }
            let body = serde_json::json!({ "refreshToken": token });
            let answer = client.anonymous().post("/auth/refresh").json(&body).await.expect_json(200);
            let me = client.with_token(answer["accessToken"].as_str().unwrap()).get("/auth/me").await;
            me.expect_status(200);
            let token = answer["refreshToken"].as_str().unwrap().to_owned();
            let mut book = self.book.lock();
            book.sessions.insert(session.clone(), token);
            book.checked.insert(session);
            looked += 1;
        }
        looked
    }
}

/// Fails unless `seq` is dense from 1, every id is there once, and time never runs backwards.
fn expect_sound(log: &[Item]) {
    let seqs: Vec<i64> = log.iter().map(Item::seq).collect();
    let dense: Vec<i64> = (1..).take(log.len()).collect();
    assert_eq!(seqs, dense);
    let ids: BTreeSet<&str> = log.iter().map(|item| item.json["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), log.len());
    let times: Vec<&str> = log.iter().map(|item| item.json["createdAt"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "time runs backwards: {times:?}");
}

/// The entries of a type, by a field of their payload, which may come once.
fn by_field<'a>(log: &'a [Item], kind: &str, field: &str) -> HashMap<&'a str, &'a Item> {
    let mut found = HashMap::new();
    for item in log.iter().filter(|item| item.kind() == kind) {
        let key = item.payload()[field].as_str().unwrap();
        assert!(found.insert(key, item).is_none(), "twice in the log: {}", item.text);
    }
    found
}

async fn pages(client: &Client, admin: &Person, path: &str) -> Vec<serde_json::Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = client.as_user(admin).get(format!("{path}?limit=200{cursor}")).await.expect_status(200);
        items.extend(answer.items());
        match answer.json()["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

async fn open_invites(client: &Client, admin: &Person) -> BTreeSet<String> {
    let invites = pages(client, admin, "/users/invites").await;
    invites.iter().map(|invite| invite["id"].as_str().unwrap().to_owned()).collect()
}

async fn roles(client: &Client, admin: &Person) -> HashMap<String, String> {
    let users = pages(client, admin, "/users").await;
    let text = |user: &serde_json::Value, field: &str| user[field].as_str().unwrap().to_owned();
    users.iter().map(|user| (text(user, "id"), text(user, "role"))).collect()
}

impl Book {
    fn count<T>(&mut self, kind: &'static str, outcome: &Outcome<T>) {
        self.counts.count(outcome);
        let code = match outcome {
            Outcome::Done(_) => return,
            Outcome::Refused(code) => code.clone(),
            Outcome::Unknown => "unknown".to_owned(),
        };
        *self.failures.entry((kind, code)).or_default() += 1;
    }

    fn copy(&self) -> Self {
        Self {
            broadcasts: self.broadcasts.clone(),
            invites: self.invites.clone(),
            revocations: self.revocations.clone(),
            roles: self.roles,
            logins: self.logins,
            sessions: self.sessions.clone(),
            ..Self::default()
        }
    }

    fn check_broadcasts(&self, log: &[Item], resolved: &mut Resolved) {
        let logged = by_field(log, "BROADCAST_MESSAGE", "message");
        for message in logged.keys() {
            assert!(self.broadcasts.contains_key(*message), "nobody sent {message}");
        }
        for (message, fate) in &self.broadcasts {
            let found = logged.get(message.as_str());
            match fate {
                Fate::Done(text) => assert_eq!(Some(text), found.map(|item| &item.text), "{message}"),
                Fate::Refused => assert!(found.is_none(), "{message} was refused and is in the log"),
                Fate::Unknown => resolved.count(found.is_some()),
            }
        }
    }

    fn check_invites(&self, log: &[Item], open: &BTreeSet<String>, resolved: &mut Resolved) {
        let invited = by_field(log, "USER_INVITED", "email");
        let revoked = by_field(log, "INVITE_REVOKED", "inviteId");
        for (email, fate) in &self.invites {
            let id = invited.get(email.as_str()).map(|item| item.payload()["inviteId"].as_str().unwrap());
            match fate {
                Fate::Done(done) => assert_eq!(Some(done.as_str()), id, "{email}"),
                Fate::Refused => assert_eq!(id, None, "{email} was refused and is in the log"),
                Fate::Unknown => resolved.count(id.is_some()),
            }
            // The row and its activity stand and fall together.
            let Some(id) = id else { continue };
            let is_revoked = revoked.contains_key(id);
            assert_eq!(open.contains(id), !is_revoked, "{email}");
            match self.revocations.get(id) {
                None | Some(Fate::Refused) => assert!(!is_revoked, "{email} was revoked by nobody"),
                Some(Fate::Done(_)) => assert!(is_revoked, "the end of {email}'s invite is lost"),
                Some(Fate::Unknown) => resolved.count(is_revoked),
            }
        }
        let rows = invited.values().map(|item| item.payload()["inviteId"].as_str().unwrap());
        let rows: BTreeSet<&str> = rows.collect();
        assert!(open.iter().all(|id| rows.contains(id.as_str())), "an invite has no activity");
    }

    /// Each change goes on from the one before it, and the last is what the user is.
    fn check_roles(&self, log: &[Item], roles: &HashMap<String, String>, resolved: &mut Resolved) {
        let mut last: HashMap<&str, &str> = HashMap::new();
        let mut changes = 0;
        for item in log.iter().filter(|item| item.kind() == "USER_ROLE_CHANGED") {
            let text = |field: &str| item.json["payload"][field].as_str().unwrap();
            let before = last.insert(text("userId"), text("to")).unwrap_or("MEMBER");
            assert_eq!(text("from"), before, "{}", item.text);
            changes += 1;
        }
        for (user, role) in last {
            assert_eq!(roles.get(user).map(String::as_str), Some(role), "{user}");
        }
        self.roles.expect(changes, "changes of a role", resolved);
    }

    fn check_logins(&self, log: &[Item], resolved: &mut Resolved) {
        let started = by_field(log, "SESSION_STARTED", "sessionId");
        for session in self.sessions.keys() {
            assert!(started.contains_key(session.as_str()), "the start of session {session} is lost");
        }
        let logins = started.values().filter(|item| item.payload()["reason"] == "login").count();
        // A sign-in looks at the directory once more after its session has begun, and may fail there: the
        // session is then of use to nobody, and harms nobody.
        let loose = Counts { unknown: self.logins.unknown + self.logins.refused, ..self.logins };
        loose.expect(logins, "sign-ins", resolved);
        assert!(log.iter().all(|item| item.kind() != "SESSION_ENDED"), "a session has ended");
    }
}

impl Counts {
    /// Fails unless so many happened as were acknowledged, and at most the unknown besides.
    fn expect(self, happened: usize, what: &str, resolved: &mut Resolved) {
        let most = self.acknowledged + self.unknown;
        assert!((self.acknowledged..=most).contains(&happened), "{happened} {what} of {self:?}");
        resolved.happened += happened - self.acknowledged;
        resolved.did_not += most - happened;
    }
}
