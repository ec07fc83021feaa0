//! Three organisations: one that tries, a twin of it that tries the same with what does not exist, and the one that
//! nobody may reach.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use roomcast::types::{OrgId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::dump::dump;
use crate::harness::app::SIGNING_KEY;
use crate::harness::{Organisation, Person, TestApp};

/// Words that stand in everything of theirs that has words.
const MARK: &str = "Zanzibar";

pub(super) struct Stage {
    pub(super) app: TestApp,
    pub(super) ours: Organisation,
    /// The same for what exists nowhere.
    pub(super) twin: Organisation,
    pub(super) theirs: Organisation,
    /// Everything of theirs by which a caller could name it.
    pub(super) names: Names,
    /// What must not be in any answer.
    secrets: Vec<String>,
    before: Vec<String>,
}

/// What names something of theirs.
pub(super) struct Names {
    pub(super) users: [Uuid; 2],
    pub(super) invite: Uuid,
    pub(super) org: Uuid,
    pub(super) session: Uuid,
    pub(super) connection: Uuid,
    pub(super) epoch: Uuid,
    pub(super) activity: Uuid,
    pub(super) message: Uuid,
    pub(super) token_id: Uuid,
    pub(super) slug: String,
    pub(super) invite_token: String,
    pub(super) head: i64,
    /// Every `nextCursor` that their lists gave.
    pub(super) cursors: Vec<String>,
}

/// A value of theirs, and one of the same form that names nothing.
pub(super) type Pair = (Value, Value);

impl Names {
    /// Everything that is an id.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        let Self { users, invite, org, session, connection, epoch, activity, message, token_id, .. } = self;
        vec![users[0], users[1], *invite, *org, *session, *connection, *epoch, *activity, *message, *token_id]
    }

    /// The same, beside ids of nothing; and what else names something.
    pub(super) fn pairs(&self) -> Vec<Pair> {
        let mut pairs: Vec<Pair> =
            self.ids().into_iter().map(|id| (json!(id), json!(Uuid::now_v7()))).collect();
        pairs.push((json!(self.slug), json!(format!("{}-of-nobody", self.slug))));
        pairs
    }
}

fn id(text: &Value) -> Uuid {
    text.as_str().unwrap().parse().unwrap()
}

impl Stage {
    pub(super) async fn set() -> Self {
        let app = TestApp::start().await;
        let mut organisations = Vec::new();
        for name in ["Acme", "Acme Twin", MARK] {
            let organisation =
                app.organisation(name).on_plan("ENTERPRISE").with_admin("bo").with_member("mia");
            organisations.push(organisation.create().await);
        }
        let theirs = organisations.pop().unwrap();
        let twin = organisations.pop().unwrap();
        let ours = organisations.pop().unwrap();
        let (names, secrets) = fill(&app, &theirs).await;
        let before = dump(&app.app.db, theirs.id.parse().unwrap()).await;
        Self { app, ours, twin, theirs, names, secrets, before }
    }

    /// Fails where an answer holds anything of theirs that the question did not.
    #[track_caller]
    pub(super) fn expect_silent(&self, what: &str, question: &str, answer: &str) {
        for secret in &self.secrets {
            assert!(!answer.contains(secret) || question.contains(secret), "{what} tells {secret}: {answer}");
        }
    }

    /// Fails where a row of theirs is not as it was.
    pub(super) async fn expect_unchanged(&self, what: &str) {
        let after = dump(&self.app.app.db, self.theirs.id.parse().unwrap()).await;
        assert_eq!(after, self.before, "{what}");
    }

    /// Takes what is theirs now for what has to stay.
    pub(super) async fn note_rows(&mut self) {
        self.before = dump(&self.app.app.db, self.theirs.id.parse().unwrap()).await;
    }
}

/// Has them do a bit of everything; what names it, and what nobody else may read.
async fn fill(app: &TestApp, theirs: &Organisation) -> (Names, Vec<String>) {
    let (admin, mia) = (&theirs.admin, &theirs["mia"]);
    for number in 0..20 {
        app.broadcast(admin, &format!("{MARK} {number}")).await;
    }
    let invite = app.invite(admin, &format!("guest@{MARK}.example"), "MEMBER").await;
    app.invite(admin, &format!("another@{MARK}.example"), "MEMBER").await;
    let text = json!({ "to": "+1999888777", "channel": "sms", "body": MARK });
    app.send_message(mia, &text).await;
    let message = app.send_message(admin, &text).await;
    app.jobs_done(admin).await;
    let socket = app.connect(mia).await;
    let welcome = socket.welcome().clone();
    socket.close().await;
    let mut cursors = Vec::new();
    for list in [
        "/activities?limit=1",
        "/users?limit=1",
        "/users/invites?limit=1",
        "/messages?limit=1",
        "/credits/entries?limit=1",
    ] {
        let page = app.as_user(admin).get(list).await.expect_json(200);
        cursors.push(page["nextCursor"].as_str().unwrap().to_owned());
    }
    let activity = app.as_user(admin).get("/activities?limit=1").await.items().remove(0);
    let names = Names {
        users: [&admin.id, &mia.id].map(|id| id.parse().unwrap()),
        invite: id(&invite["id"]),
        org: theirs.id.parse().unwrap(),
        session: admin.session_id().parse().unwrap(),
        connection: welcome.connection_id,
        epoch: welcome.epoch,
        activity: id(&activity["id"]),
        message: id(&message["id"]),
        token_id: id(&admin.claims()["jti"]),
        slug: theirs.json["slug"].as_str().unwrap().to_owned(),
        invite_token: invite["inviteToken"].as_str().unwrap().to_owned(),
        head: app.head(admin).await,
        cursors,
    };
    // The id of the token is what the tests say where a place takes words, and read again.
    let told = names.ids().into_iter().filter(|id| *id != names.token_id);
    let mut secrets: Vec<String> = told.map(|id| id.to_string()).collect();
    secrets.extend([MARK.to_owned(), names.slug.clone(), admin.email.clone(), mia.email.clone()]);
    (names, secrets)
}

/// The person's access token, signed with our key, but for some of what it says.
pub(super) fn forged(person: &Person, changes: &Value) -> String {
    let mut claims = person.claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let key = EncodingKey::from_secret(SIGNING_KEY.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

/// What a token may be made to say, so that one part of it is theirs; the other time it is nobody's.
pub(super) fn mixed_claims(names: &Names) -> Vec<Pair> {
    let [user, _] = names.users;
    let (nobody, nowhere, never) = (UserId::new(), OrgId::new(), Uuid::now_v7());
    let (org, session) = (names.org, names.session);
    vec![
        (json!({ "org": org }), json!({ "org": nowhere })),
        (json!({ "sub": user }), json!({ "sub": nobody })),
        (json!({ "sid": session }), json!({ "sid": never })),
        (json!({ "org": org, "sid": session }), json!({ "org": nowhere, "sid": never })),
        (json!({ "sub": user, "sid": session }), json!({ "sub": nobody, "sid": never })),
        (json!({ "org": org, "role": "ADMIN" }), json!({ "org": nowhere, "role": "ADMIN" })),
        (json!({ "aud": org }), json!({ "aud": nowhere })),
        (json!({ "iss": org }), json!({ "iss": nowhere })),
    ]
}

/// A token of random bytes with other bytes in one place of it.
pub(super) fn spliced(token: &str, at: usize, id: Uuid) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    bytes.get_mut(at..at + 16).unwrap().copy_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A sign-up's token, as whoever knows its form can make one.
pub(super) fn sign_up(org: Uuid, sign_up: Uuid) -> String {
    let random = [Uuid::now_v7(), Uuid::now_v7()].map(Uuid::into_bytes).concat();
    URL_SAFE_NO_PAD.encode([b"S".as_slice(), org.as_bytes(), sign_up.as_bytes(), &random].concat())
}
