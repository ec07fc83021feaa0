//! Every route, with everything of another organisation in every place where a caller may put something. The answer is
//! the one for what does not exist, and the other organisation stays as it was.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::foreign::{Pair, Stage, forged, mixed_claims, sign_up, spliced};
use crate::harness::{Answer, Client, Organisation, PASSWORD, Person};
use crate::hostile::operations::{Document, Operation};

/// What is put into a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Whatever names something.
    Id,
    /// A position in the log.
    Seq,
    /// Where a list goes on.
    Cursor,
    /// A key that they used for the same request.
    Key,
    /// A token with the marks of two organisations.
    Refresh,
    /// The same of an invite.
    Invite,
    /// The same of a sign-up.
    SignUp,
    /// Words, a number, a choice: nothing can be named there, which one id shows.
    Value,
}

use Takes::{Cursor, Id, Invite, Key, Refresh, Seq, SignUp, Value as Words};

/// Every operation of the document and every place in it: `{…}` is in the path, `?…` in the query, `#…` a header, and
/// the rest are fields of the body. What is added to the API is added here, with what it takes. Members ask at
/// `/platform`, too: whose they are, nothing there is anything to them.
const PLACES: [(&str, &[(&str, Takes)]); 55] = [
    (
        "GET /activities",
        &[
            ("?before", Seq),
            ("?after", Seq),
            ("?cursor", Cursor),
            ("?type", Words),
            ("?actorId", Id),
            ("?limit", Words),
        ],
    ),
    ("POST /auth/forgot-password", &[("email", Words)]),
    ("POST /auth/login", &[("email", Words), ("organisation", Id), ("password", Words)]),
    ("POST /auth/logout", &[]),
    ("GET /auth/me", &[]),
    ("PATCH /auth/me", &[("currentPassword", Words), ("name", Words), ("password", Words)]),
    ("GET /auth/organisations", &[("?cursor", Cursor), ("?limit", Words)]),
    ("POST /auth/refresh", &[("refreshToken", Refresh)]),
    (
        "POST /auth/register",
        &[("email", Words), ("name", Words), ("organisationName", Words), ("password", Words)],
    ),
    ("POST /auth/reset-password", &[("password", Words), ("token", Words)]),
    ("POST /auth/sign-up", &[("email", Words), ("name", Words), ("password", Words), ("token", SignUp)]),
    ("POST /auth/switch", &[("organisationId", Id)]),
    ("GET /credits", &[]),
    ("GET /credits/entries", &[("?cursor", Cursor), ("?limit", Words)]),
    ("GET /jobs", &[("?state", Words), ("?cursor", Cursor), ("?limit", Words)]),
    ("POST /jobs/{id}/retry", &[("{id}", Id)]),
    (
        "GET /messages",
        &[
            ("?status", Words),
            ("?channel", Words),
            ("?recipient", Id),
            ("?from", Words),
            ("?to", Words),
            ("?cursor", Cursor),
            ("?limit", Words),
        ],
    ),
    ("POST /messages", &[("#Idempotency-Key", Key), ("body", Words), ("channel", Words), ("to", Words)]),
    ("POST /messages/batch", &[("#Idempotency-Key", Key), ("messages", Words)]),
    ("GET /messages/gateways", &[]),
    ("DELETE /messages/{id}", &[("{id}", Id)]),
    ("GET /messages/{id}", &[("{id}", Id)]),
    ("GET /organisations", &[]),
    ("PATCH /organisations", &[("name", Words)]),
    ("POST /organisations", &[("#Idempotency-Key", Key), ("name", Words)]),
    ("POST /organisations/broadcast", &[("#Idempotency-Key", Key), ("data", Words), ("message", Words)]),
    ("GET /organisations/presence", &[]),
    ("PATCH /organisations/subscription", &[("plan", Words)]),
    (
        "POST /orgs",
        &[("#Idempotency-Key", Key), ("isolation", Words), ("name", Words), ("plan", Words), ("slug", Id)],
    ),
    ("GET /platform/administrators", &[("?cursor", Cursor), ("?limit", Words)]),
    (
        "POST /platform/administrators",
        &[("#Idempotency-Key", Key), ("email", Words), ("name", Words), ("password", Words), ("role", Words)],
    ),
    ("PATCH /platform/administrators/{id}", &[("{id}", Id), ("role", Words), ("status", Words)]),
    (
        "GET /platform/audit",
        &[("?administratorId", Id), ("?cursor", Cursor), ("?limit", Words), ("?organisationId", Id)],
    ),
    ("POST /platform/auth/login", &[("email", Words), ("password", Words)]),
    ("POST /platform/auth/logout", &[]),
    ("GET /platform/auth/me", &[]),
    ("POST /platform/auth/refresh", &[("refreshToken", Refresh)]),
    ("GET /platform/messages/totals", &[("?cursor", Cursor), ("?limit", Words)]),
    (
        "GET /platform/organisations",
        &[
            ("?cursor", Cursor),
            ("?isolation", Words),
            ("?limit", Words),
            ("?plan", Words),
            ("?search", Id),
            ("?status", Words),
        ],
    ),
    (
        "POST /platform/organisations",
        &[("#Idempotency-Key", Key), ("isolation", Words), ("name", Words), ("plan", Words), ("slug", Id)],
    ),
    ("GET /platform/organisations/{id}", &[("{id}", Id)]),
    ("PATCH /platform/organisations/{id}", &[("{id}", Id), ("name", Words), ("plan", Words)]),
    ("GET /platform/organisations/{id}/credits", &[("{id}", Id)]),
    (
        "POST /platform/organisations/{id}/credits",
        &[("#Idempotency-Key", Key), ("{id}", Id), ("amount", Words), ("kind", Words), ("reason", Words)],
    ),
    ("POST /platform/organisations/{id}/resume", &[("{id}", Id)]),
    ("POST /platform/organisations/{id}/sign-up", &[("#Idempotency-Key", Key), ("{id}", Id)]),
    ("POST /platform/organisations/{id}/suspend", &[("{id}", Id), ("reason", Words)]),
    // What it takes is tried in `sockets.rs`.
    ("GET /stream", &[]),
    ("GET /users", &[("?cursor", Cursor), ("?limit", Words)]),
    ("POST /users/accept-invite", &[("name", Words), ("password", Words), ("token", Invite)]),
    ("POST /users/invite", &[("#Idempotency-Key", Key), ("email", Words), ("name", Words), ("role", Words)]),
    ("GET /users/invites", &[("?cursor", Cursor), ("?limit", Words)]),
    ("DELETE /users/invites/{id}", &[("{id}", Id)]),
    ("DELETE /users/{id}", &[("{id}", Id)]),
    ("PATCH /users/{id}", &[("{id}", Id), ("role", Words)]),
];

fn places(operation: &Operation) -> BTreeSet<String> {
    let in_path = operation.path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned);
    let in_query = operation.query.iter().map(|field| format!("?{}", field.name));
    let in_headers = operation.headers.iter().map(|name| format!("#{name}"));
    let in_body = operation.fields.iter().flatten().map(|field| field.name.clone());
    in_path.chain(in_query).chain(in_headers).chain(in_body).collect()
}

#[test]
fn every_place_of_every_operation_is_known() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (operation, places) in PLACES {
        known.insert(operation.to_owned(), places.iter().map(|(place, _)| (*place).to_owned()).collect());
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in Document::load().operations() {
        found.insert(operation.name(), places(&operation));
    }
    found.insert("GET /stream".to_owned(), BTreeSet::new());
    assert_eq!(found, known, "what the document has is left, what is tried here right");
}

/// A request that is asked twice: of us with something of theirs, of our twin with nothing of anybody's.
struct Question<'a> {
    operation: &'a Operation,
    place: &'a str,
    value: Value,
}

impl Question<'_> {
    /// What is asked in the name of somebody of this organisation, as text and as a call.
    async fn ask(
        &self,
        stage: &Stage,
        of: &Organisation,
        token: &str,
        header: (&str, &str),
    ) -> (String, Answer) {
        let Self { operation, place, value } = self;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let nowhere = Uuid::nil().to_string();
        let mut path = operation.at(if place.starts_with('{') { &text } else { &nowhere });
        let mut body = operation.sample();
        if operation.path == "/auth/login" {
            let founder = body.as_mut().unwrap();
            founder["email"] = json!(of.admin.email);
            founder["password"] = json!(PASSWORD);
            // A sample of a slug may be somebody's.
            founder["organisation"] = json!(nowhere);
        }
        match place.split_at(usize::from(place.starts_with('?'))) {
            ("?", name) => path = format!("{path}?{name}={text}"),
            ("", name) if body.as_ref().is_some_and(|body| body.get(name).is_some()) => {
                body.as_mut().unwrap()[name] = value.clone();
            }
            _ => {}
        }
        let mut call = stage.app.with_token(token).at(operation.method.clone(), &path);
        if let Some(body) = &body {
            call = call.json(body);
        }
        if !header.0.is_empty() {
            call = call.header(header.0, header.1);
        }
        let asked = format!("{path} {} {}", body.unwrap_or_default(), header.1);
        (asked, call.await)
    }
}

/// An answer without what is another's in every answer.
fn outline(answer: &Answer, asked: &Value) -> Value {
    fn walk(value: &Value, asked: &str) -> Value {
        match value {
            Value::String(text) if text.parse::<Uuid>().is_ok() => json!("an id"),
            Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => json!("a moment"),
            Value::String(text) => json!(text.replace(asked, "what was asked for")),
            Value::Array(items) => items.iter().map(|item| walk(item, asked)).collect(),
            Value::Object(fields) => fields
                .iter()
                .filter(|(name, _)| *name != "requestId")
                .map(|(name, value)| (name.clone(), walk(value, asked)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
    let asked = asked.as_str().map_or_else(|| asked.to_string(), str::to_owned);
    if answer.text.is_empty() { Value::Null } else { walk(&answer.json(), &asked) }
}

/// What is theirs and what is nobody's, for a place.
fn pairs(stage: &Stage, of: [&Person; 2], takes: Takes) -> Vec<Pair> {
    let names = &stage.names;
    match takes {
        Takes::Id => names.pairs(),
        Takes::Seq => [names.head, names.head - 1].map(|seq| (json!(seq), json!(seq))).into(),
        Takes::Cursor => {
            let ids = names.ids().into_iter().map(|id| id.to_string());
            let cursors = names.cursors.iter().cloned().chain(ids);
            cursors.map(|cursor| (json!(cursor), json!(cursor))).collect()
        }
        // Those of the keys are asked elsewhere.
        Takes::Key => Vec::new(),
        Takes::Refresh => {
            let [ours, twin] = of.map(|person| &person.refresh_token);
            let theirs = &stage.theirs.admin.refresh_token;
            let us: Uuid = of[0].organisation_id.parse().unwrap();
            vec![
                (json!(spliced(ours, 0, names.org)), json!(spliced(twin, 0, Uuid::now_v7()))),
                (json!(spliced(ours, 16, names.session)), json!(spliced(twin, 16, Uuid::now_v7()))),
                (json!(spliced(theirs, 0, us)), json!(spliced(theirs, 0, Uuid::now_v7()))),
            ]
        }
        Takes::Invite => {
            let us: Uuid = of[0].organisation_id.parse().unwrap();
            let theirs = &names.invite_token;
            let random =
                |org, invite| spliced(&spliced(&spliced(theirs, 32, Uuid::now_v7()), 0, org), 16, invite);
            vec![
                // Their invite, in our organisation; and in theirs, but for what only the invited person has.
                (json!(spliced(theirs, 0, us)), json!(spliced(theirs, 0, Uuid::now_v7()))),
                (json!(random(names.org, names.invite)), json!(random(names.org, Uuid::now_v7()))),
                (json!(random(us, names.invite)), json!(random(us, Uuid::now_v7()))),
            ]
        }
        Takes::SignUp => {
            let of_theirs = names.ids().into_iter().map(|id| (names.org, id));
            let tokens = of_theirs.map(|(org, id)| (sign_up(org, id), sign_up(Uuid::now_v7(), id)));
            tokens.map(|(theirs, nobodys)| (json!(theirs), json!(nobodys))).collect()
        }
        Takes::Value => vec![(json!(names.token_id), json!(Uuid::now_v7()))],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_organisation_is_anything_to_anybody() {
    let stage = Stage::set().await;
    let known = BTreeMap::from(PLACES);
    let mut asked = 0;
    for operation in Document::load().operations() {
        for (place, takes) in known[operation.name().as_str()] {
            for who in ["mia", "bo"] {
                let of = [&stage.ours[who], &stage.twin[who]];
                for (theirs, nobodys) in pairs(&stage, of, *takes) {
                    let what = format!("{who}: {} with {theirs} in {place}", operation.name());
                    let [question, control] =
                        [theirs, nobodys].map(|value| Question { operation: &operation, place, value });
                    let (text, answer) =
                        question.ask(&stage, &stage.ours, &of[0].access_token, ("", "")).await;
                    let (_, twin) = control.ask(&stage, &stage.twin, &of[1].access_token, ("", "")).await;
                    assert_eq!(answer.status, twin.status, "{what}: {} {}", answer.text, twin.text);
                    assert!(answer.status < 500, "{what}: {}", answer.text);
                    if answer.status >= 400 {
                        let (answer, twin) =
                            (outline(&answer, &question.value), outline(&twin, &control.value));
                        assert_eq!(answer, twin, "{what}");
                    }
                    if *takes == Takes::Id && answer.status < 300 {
                        assert_eq!(answer.json()["items"], json!([]), "{what}");
                    }
                    stage.expect_silent(&what, &text, &answer.text);
                    asked += 1;
                }
            }
        }
        stage.expect_unchanged(&operation.name()).await;
    }
    assert!(asked > 150, "{asked}");
}

/// Asks every operation of both, each with a token and a header of its own for it; the answers are the same.
async fn expect_alike(
    stage: &Stage,
    what: &str,
    tokens: impl AsyncFn(&Operation) -> [String; 2],
    headers: [(&str, &str); 2],
) -> Vec<u16> {
    let mut statuses = Vec::new();
    for operation in Document::load().operations() {
        let what = format!("{} with {what}", operation.name());
        let question = Question { operation: &operation, place: "", value: Value::Null };
        let [ours, twin] = tokens(&operation).await;
        let (text, answer) = question.ask(stage, &stage.ours, &ours, headers[0]).await;
        let (_, control) = question.ask(stage, &stage.twin, &twin, headers[1]).await;
        assert_eq!(answer.status, control.status, "{what}: {} {}", answer.text, control.text);
        if answer.status >= 400 {
            let header = |(_, value): (&str, &str)| json!(value);
            assert_eq!(
                outline(&answer, &header(headers[0])),
                outline(&control, &header(headers[1])),
                "{what}"
            );
        }
        stage.expect_silent(&what, &text, &answer.text);
        if operation.secured {
            statuses.push(answer.status);
        }
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_two_organisations_is_nobodys() {
    let stage = Stage::set().await;
    for (theirs, nobodys) in mixed_claims(&stage.names) {
        let tokens = [forged(&stage.ours["mia"], &theirs), forged(&stage.twin["mia"], &nobodys)];
        let what = format!("a token that says {theirs}");
        let statuses = expect_alike(&stage, &what, async |_| tokens.clone(), [("", ""); 2]).await;
        // The session says only when the token ends early; whose it is, the user says.
        let is_ours = theirs.as_object().unwrap().keys().all(|claim| claim == "sid");
        assert!(is_ours || statuses.iter().all(|status| *status == 401), "{what}: {statuses:?}");
    }
    stage.expect_unchanged("tokens of two organisations").await;
}

/// Headers that choose among organisations choose none that the token is not for.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_names_another_organisation_opens_nothing() {
    let stage = Stage::set().await;
    let (org, slug) = (stage.names.org.to_string(), stage.names.slug.clone());
    let (nowhere, nobody) = (Uuid::now_v7().to_string(), format!("{slug}-of-nobody"));
    for headers in
        [[("X-Org-Id", org.as_str()), ("X-Org-Id", &nowhere)], [("X-Tenant", &slug), ("X-Tenant", &nobody)]]
    {
        for who in ["mia", "bo"] {
            // A session of its own for each, because one of them ends it.
            let tokens = async |operation: &Operation| {
                let fresh = async |of: &Organisation| match operation.path.as_str() {
                    "/auth/logout" => stage.app.sign_in(&of[who]).await.access_token,
                    _ => of[who].access_token.clone(),
                };
                [fresh(&stage.ours).await, fresh(&stage.twin).await]
            };
            expect_alike(&stage, &format!("{}: {}", headers[0].0, headers[0].1), tokens, headers).await;
        }
    }
    stage.expect_unchanged("headers").await;
}

/// A key that they used is as fresh to us as any.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_organisation_replays_nothing() {
    let mut stage = Stage::set().await;
    let client = Client::clone(&stage.app);
    let mut tried = 0;
    for operation in Document::load().operations() {
        // Administrators' keys are no organisation's.
        if operation.platform || !operation.headers.iter().any(|name| name == "Idempotency-Key") {
            continue;
        }
        let body = operation.sample().unwrap();
        let call = |person: &Person, key: &str| {
            let call = client.as_user(person).at(operation.method.clone(), operation.somewhere());
            call.json(&body).header("idempotency-key", key)
        };
        let first = call(&stage.theirs.admin, "a-key-of-theirs").await.expect_status(201);
        let again = call(&stage.theirs.admin, "a-key-of-theirs").await.expect_status(201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        let ours = call(&stage.ours.admin, "a-key-of-theirs").await.expect_status(201);
        let twin = call(&stage.twin.admin, "a-key-of-nobodys").await.expect_status(201);
        for answer in [&ours, &twin] {
            assert_eq!(answer.header("idempotency-replayed"), None, "{}", operation.name());
            assert_ne!(answer.text, first.text, "{}", operation.name());
        }
        // What their key stands for is theirs still.
        client.jobs_done(&stage.theirs.admin).await;
        stage.note_rows().await;
        let again = call(&stage.theirs.admin, "a-key-of-theirs").await.expect_status(201);
        assert_eq!(again.text, first.text);
        stage.expect_unchanged(&operation.name()).await;
        tried += 1;
    }
    assert!(tried >= 3, "{tried}");
}

/// Whoever is signed in nowhere reaches nothing either.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_no_id_opens_anything() {
    let stage = Stage::set().await;
    for operation in Document::load().operations().iter().filter(|operation| operation.secured) {
        for id in stage.names.ids() {
            let mut call = stage.app.anonymous().at(operation.method.clone(), operation.at(&id.to_string()));
            if let Some(body) = operation.sample() {
                call = call.json(&body);
            }
            call.await.expect_problem(401, "token_invalid");
        }
    }
    assert_eq!(stage.app.anonymous().at(Method::GET, "/api/v1/stream").await.status, 401);
    stage.expect_unchanged("calls without a token").await;
}
