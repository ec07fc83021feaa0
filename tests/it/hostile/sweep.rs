//! Every operation × every bad body, query, path and header × everybody: no fault of the server's, the
//! contract's problems, and a log that a refused request leaves alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::operations::{Document, Field, Operation, organisation};
use crate::harness::platform::Operator;
use crate::harness::{Answer, Call, Organisation, TestApp};

const JSON: Option<&str> = Some("application/json");

/// What a call of an operation may be answered with, whoever makes it and whatever is wrong with it.
const EXPECTED: [u16; 13] = [200, 201, 204, 400, 401, 403, 404, 409, 410, 413, 415, 422, 431];

/// Fails unless the answer is one of the contract's. Whether it was a refusal.
#[track_caller]
fn expect_contract(answer: Answer, what: &str) -> bool {
    let status = answer.status;
    assert!(EXPECTED.contains(&status), "{what}: {status} {}", answer.text);
    if status < 400 {
        return false;
    }
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    answer.expect_problem(status, &code);
    true
}

/// The people of one organisation, and where its log stands.
struct Stage<'a> {
    app: &'a TestApp,
    operator: Operator,
    acme: Organisation,
    head: i64,
}

impl<'a> Stage<'a> {
    async fn of(app: &'a TestApp, operator: &Operator) -> Self {
        let acme = organisation(app).await;
        let head = app.head(&acme.admin).await;
        // Of its own: one of the calls signs out.
        let operator = app.sign_in_operator(&operator.email).await;
        Self { app, operator, acme, head }
    }

    /// Makes the same call as everybody. The founder looks on and is not among them, so that whatever is done
    /// to the others the log can be read.
    async fn as_everybody(&mut self, operation: &Operation, what: &str, call: impl Fn(Call) -> Call + Sync) {
        for who in ["anonymous", "mia", "bo"] {
            self.call(operation, who, &operation.somewhere(), what, &call).await;
        }
        self.expect_head(what).await;
    }

    async fn call(
        &mut self,
        operation: &Operation,
        who: &str,
        path: &str,
        what: &str,
        call: impl Fn(Call) -> Call,
    ) {
        let caller = match who {
            "anonymous" => self.app.anonymous(),
            "bo" => operation.caller(self.app, &self.operator, &self.acme["bo"]),
            name => self.app.as_user(&self.acme[name]),
        };
        let answer = call(caller.at(operation.method.clone(), path)).await;
        let status = answer.status;
        let what = format!("{who}: {} {path}, {what}", operation.method);
        let refused = expect_contract(answer, &what);
        if who == "anonymous" && operation.secured {
            assert!([400, 401, 413].contains(&status), "{what}: {status}");
        }
        if !refused {
            // What follows in the background is in the log, too.
            self.app.jobs_done(&self.acme.admin).await;
            self.head = self.app.head(&self.acme.admin).await;
        }
    }

    /// What was refused left nothing behind.
    async fn expect_head(&self, what: &str) {
        assert_eq!(self.app.head(&self.acme.admin).await, self.head, "{what}: the log has grown");
    }
}

/// Bodies that are wrong as a whole.
fn bad_bodies(operation: &Operation) -> Vec<(&'static str, Vec<u8>)> {
    let twice = match operation.fields.as_ref().and_then(|fields| fields.first()) {
        Some(Field { name, .. }) => format!(r#"{{"{name}":"a","{name}":"b"}}"#),
        None => "{".to_owned(),
    };
    let deep = |open: &str, close: &str, depth: usize| [open.repeat(depth), close.repeat(depth)].concat();
    let many: Vec<String> = (0..20_000).map(|number| format!(r#""f{number}":1"#)).collect();
    vec![
        ("empty", Vec::new()),
        ("cut off", br#"{"name": "#.to_vec()),
        ("two documents", b"{}{}".to_vec()),
        ("no object", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a number of no size", b"1e999999999".to_vec()),
        ("deep arrays", deep("[", "]", 100_000).into_bytes()),
        ("deep objects", deep(r#"{"a":"#, "}", 40_000).into_bytes()),
        ("not UTF-8", b"{\"name\": \"\xff\xfe\"}".to_vec()),
        ("UTF-16", "{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("an overlong form", b"{\"name\": \"\xc0\x80\"}".to_vec()),
        ("half a surrogate", br#"{"name": "\ud800"}"#.to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("NUL bytes", vec![0; 1000]),
        ("a field twice", twice.into_bytes()),
        ("many fields", format!("{{{}}}", many.join(",")).into_bytes()),
        ("a field that is not one", br#"{"\u0000": 1, "__proto__": {}, "constructor": null}"#.to_vec()),
        ("a private field of the parser", br#"{"$serde_json::private::Number": "1"}"#.to_vec()),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0".to_vec()),
    ]
}

/// Values that are wrong in one field or another.
fn bad_values() -> Vec<Value> {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        number("9223372036854775808"),
        number("-1e400"),
        number("123456789012345678901234567890.000000000000001"),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({ "a": { "b": [null] } }),
        json!(""),
        json!(" "),
        json!("\0"),
        json!("a\0b"),
        json!("a@b.c\0"),
        json!("\u{feff}\u{202e}\u{200b}"),
        json!("\u{1b}[31m\r\n"),
        json!("'; DROP TABLE users; --"),
        json!("%00%ff../../etc/passwd"),
        json!("{{7*7}}${7*7}"),
        json!("𝕏".repeat(5000)),
        json!("a".repeat(200_000)),
        json!("a\u{300}\u{301}".repeat(40)),
        json!("00000000-0000-0000-0000-000000000000"),
        json!("ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_body_is_a_fault_or_leaves_anything_behind() {
    let app = TestApp::start().await;
    let operator = app.operator("super_admin").await;
    for operation in Document::load().operations() {
        let mut stage = Stage::of(&app, &operator).await;
        for (what, body) in bad_bodies(&operation) {
            let call = |call: Call| match operation.method {
                // Nobody reads a body here, so what is left of it must not meet the next call.
                Method::GET => call.body(JSON, body.clone()).header("connection", "close"),
                _ => call.body(JSON, body.clone()),
            };
            stage.as_everybody(&operation, what, call).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_value_is_a_fault_or_leaves_anything_behind() {
    let app = TestApp::start().await;
    let operator = app.operator("super_admin").await;
    for operation in Document::load().operations() {
        let mut stage = Stage::of(&app, &operator).await;
        for field in operation.fields.iter().flatten() {
            for value in bad_values() {
                let what: String = format!("{}: {value}", field.name).chars().take(100).collect();
                let body = operation.sample_with(&field.name, &value);
                stage.as_everybody(&operation, &what, |call| call.json(&body)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_does_not_exist_is_named() {
    let app = TestApp::start().await;
    let operator = app.operator("super_admin").await;
    let acme = organisation(&app).await;
    for operation in Document::load().operations().iter().filter(|operation| operation.fields.is_some()) {
        let body = operation.sample_with("nmae", &json!(1));
        let caller = operation.caller(&app, &operator, &acme["bo"]);
        let call = caller.at(operation.method.clone(), operation.somewhere());
        call.json(&body).await.expect_invalid(&["nmae"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_has_its_length_in_characters_and_no_nul() {
    let app = TestApp::start().await;
    let operator = app.operator("super_admin").await;
    for operation in Document::load().operations() {
        for field in operation.fields.iter().flatten().filter(|field| field.is_text()) {
            let acme = organisation(&app).await;
            let send = async |text: String| {
                let caller = operation.caller(&app, &operator, &acme["bo"]);
                let call = caller.at(operation.method.clone(), operation.somewhere());
                let answer = call.json(&operation.sample_with(&field.name, &json!(text))).await;
                let refused = answer.status == 422 && {
                    let errors = answer.json()["errors"].as_array().unwrap().clone();
                    // A plan that fits and does not exist is refused for another reason.
                    let characters = |message: &Value| message.as_str().unwrap().contains("characters");
                    errors.iter().any(|one| one["field"] == *field.name && characters(&one["message"]))
                };
                expect_contract(answer, &format!("{}: {}", operation.path, field.name));
                refused
            };
            let what = format!("{} {} {}", operation.method, operation.path, field.name);
            // Passwords are hashed and tokens decoded: NUL is a character like others there.
            if field.schema["format"] != "password" && !field.name.to_lowercase().ends_with("token") {
                assert!(send("a\0b@c.d".to_owned()).await, "{what} takes NUL");
            }
            let max = field.schema["maxLength"].as_u64().map(|max| usize::try_from(max).unwrap());
            // The longest characters there are: four bytes each.
            let of = |length: usize| match length {
                length if field.is_email() => format!("{}@b.c", "🐎".repeat(length - 4)),
                length => "🐎".repeat(length),
            };
            // Where a pattern names the characters, horses are not among them.
            let any_character = !field.schema["pattern"].as_str().unwrap_or_default().contains("0-9");
            if let Some(max) = max.filter(|_| any_character) {
                assert!(!send(of(max)).await, "{what} has not {max} characters");
                assert!(send(of(max + 1)).await, "{what} has more than {max} characters");
            }
            if let Some(min) = field.schema["minLength"].as_u64().map(|min| usize::try_from(min).unwrap()) {
                assert!(
                    min < 5 || send("🐎".repeat(min - 1)).await,
                    "{what} has fewer than {min} characters"
                );
                assert!(min != 1 || send(String::new()).await, "{what} may be empty");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_query_is_a_fault() {
    let app = TestApp::start().await;
    let operator = app.operator("super_admin").await;
    let mut stage = Stage::of(&app, &operator).await;
    for operation in Document::load().operations() {
        if operation.method != Method::GET {
            continue;
        }
        let known = operation.query.iter().map(|field| field.name.as_str());
        let values = [
            "",
            "%00",
            "a%00b",
            "%ff%fe",
            "%",
            "%zz",
            "%C0%80",
            "%ED%A0%80",
            "-1",
            "+1",
            "0x1",
            "1e3",
            "1.0",
            "0",
            "201",
            "9223372036854775807",
            "9223372036854775808",
            "99999999999999999999999",
            "%F0%9F%90%8E",
            "%27%3B--",
            "a&limit=1&limit=2",
            "00000000-0000-0000-0000-000000000000",
            "null",
            "%7B%7D",
            "[]",
        ];
        for name in known.chain(["token", "%00", "a%00b", "%ff", "limit[]", ""]) {
            for value in values {
                let path = format!("{}?{name}={value}", operation.somewhere());
                for who in ["anonymous", "mia", "bo"] {
                    stage.call(&operation, who, &path, "a query", |call| call).await;
                }
            }
        }
        for query in
            [format!("?cursor={}", "a".repeat(8000)), format!("?{}", "&".repeat(8000)), "?=".to_owned()]
        {
            stage
                .call(&operation, "bo", &format!("{}{query}", operation.somewhere()), "a query", |call| call)
                .await;
        }
    }
    stage.expect_head("queries").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_id_in_a_path_is_a_fault() {
    let app = TestApp::start().await;
    let operator = app.operator("super_admin").await;
    let mut stage = Stage::of(&app, &operator).await;
    let long = "a".repeat(8000);
    let id = stage.acme.admin.id.clone();
    let simple = id.replace('-', "");
    let braced = format!("%7B{id}%7D");
    let urn = format!("urn:uuid:{id}");
    let with_nul = format!("{id}%00");
    let ids = [
        "%00",
        "a%00b",
        "%ff",
        "%C0%80",
        "%ED%A0%80",
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "-1",
        "0",
        "9223372036854775808",
        "%20",
        "null",
        "%F0%9F%90%8E",
        "%0d%0aset-cookie:a=b",
        &long,
        &simple,
        &braced,
        &urn,
        &with_nul,
    ];
    for operation in Document::load().operations().iter().filter(|operation| operation.has_id()) {
        for bad in ids {
            // The last of these would end the one who looks on, were they taken for the id.
            let caller = operation.caller(&app, &stage.operator, &stage.acme["bo"]);
            let caller = caller.at(operation.method.clone(), operation.at(bad));
            let call = match operation.sample() {
                Some(body) => caller.json(&body),
                None => caller,
            };
            let answer = call.await;
            // Clients take `..` out of a path before they send it.
            assert!([404, 405].contains(&answer.status), "{} {bad}: {}", operation.path, answer.text);
            expect_contract_or_405(answer);
        }
        for who in ["anonymous", "mia"] {
            stage.call(operation, who, &operation.at("%00"), "an id", |call| call).await;
        }
    }
    stage.expect_head("ids").await;
}

#[track_caller]
fn expect_contract_or_405(answer: Answer) {
    let (status, code) = (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned());
    answer.expect_problem(status, &code);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_header_is_a_fault() {
    let app = TestApp::start().await;
    let operator = app.operator("super_admin").await;
    let names = [
        "authorization",
        "content-type",
        "content-encoding",
        "accept",
        "accept-encoding",
        "cookie",
        "forwarded",
        "idempotency-key",
        "if-match",
        "last-event-id",
        "origin",
        "range",
        "referer",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-http-method-override",
        "x-org-id",
        "x-tenant",
        "x-original-url",
        "x-request-id",
    ];
    let long = "a".repeat(8000);
    let values: [&[u8]; 8] =
        [b"", b"\xff\xfe", b"\xf0\x9f\x90\x8e", b"\t", b"a\tb", b"Bearer \xff", b"DELETE", long.as_bytes()];
    for operation in Document::load().operations() {
        let mut stage = Stage::of(&app, &operator).await;
        for name in names {
            for value in values {
                let what = format!("{name}: {value:.20?}");
                // A body with which something is wrong, so that only the reading of headers is judged.
                let body = json!({ "nmae": 1 });
                let call = |call: Call| call.json(&body).header_bytes(name, value);
                stage.call(&operation, "bo", &operation.somewhere(), &what, call).await;
            }
        }
        stage.expect_head("headers").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_other_organisations_name_nothing() {
    let app = TestApp::start().await;
    let acme = organisation(&app).await;
    let other = organisation(&app).await;
    let invite = app.invite(&other.admin, "max@example.com", "MEMBER").await;
    let head = app.head(&other.admin).await;
    let unknown = roomcast::types::InviteId::new().to_string();
    let bare = |answer: Answer| {
        let mut problem = answer.json();
        problem["requestId"] = Value::Null;
        (answer.status, problem)
    };
    for operation in Document::load().operations() {
        let call = |id: &str, caller: &crate::harness::Person| {
            let call = app.as_user(caller).at(operation.method.clone(), operation.at(id));
            match operation.sample() {
                Some(body) => call.json(&body),
                None => call,
            }
        };
        if operation.has_id() && !operation.platform {
            let absent = bare(call(&unknown, &acme["bo"]).await);
            assert_eq!(absent.0, 404, "{} {}", operation.method, operation.path);
            for id in [&other["mia"].id, &other.id, invite["id"].as_str().unwrap()] {
                // To the letter: that it exists elsewhere shows in nothing.
                assert_eq!(bare(call(id, &acme["bo"]).await), absent, "{}", operation.path);
                let to_member = call(id, &acme["mia"]).await;
                if operation.path.starts_with("/messages") {
                    assert_eq!(bare(to_member), absent, "{}", operation.path);
                } else {
                    to_member.expect_problem(403, "role_forbidden");
                }
            }
        }
    }
    // Where an id stands in the body or the query.
    let switch = async |id: &str| {
        let call = app.as_user(&acme["bo"]).post("/auth/switch");
        bare(call.json(&json!({ "organisationId": id })).await)
    };
    assert_eq!(switch(&other.id).await, switch(&unknown).await);
    let list = app.as_user(&acme["bo"]).get(format!("/activities?actorId={}", other.admin.id)).await;
    assert!(list.items().is_empty());
    assert_eq!(app.head(&other.admin).await, head);
}
