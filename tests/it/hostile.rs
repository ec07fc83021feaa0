//! What somebody with an account, or without one, must not be able to do to others.

mod frames;
pub(crate) mod operations;
mod program;
mod smuggling;
mod sweep;
mod tokens;

use reqwest::Method;
use roomcast::activity::Activity;
use roomcast::error::Code;
use roomcast::types::{Audience, Message, OrgId, Role, SessionId, UserId};
use serde_json::json;

use crate::harness::raw::RawSocket;
use crate::harness::{Person, TestApp, within};

/// The head of a request, and its body, which is sent later.
async fn hold(app: &TestApp, person: &Person, request: &str, body: &str) -> RawSocket {
    let mut connection = RawSocket::connect(&app.base, None).await;
    let head = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        person.access_token,
        body.len()
    );
    connection.write(head.as_bytes()).await;
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_body_is_held_back_is_judged_when_it_is_whole() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    let bo = &acme["bo"];
    let body = json!({ "role": "ADMIN" }).to_string();
    let promote = format!("PATCH /api/v1/users/{}", bo.user_id());
    let mut while_demoted = hold(&app, bo, &promote, &body).await;
    let message = json!({ "message": "I am still here" }).to_string();
    let mut while_gone = hold(&app, bo, "POST /api/v1/organisations/broadcast", &message).await;

    app.change_role(&acme.admin, bo, "MEMBER").await;
    while_demoted.write(body.as_bytes()).await;
    let head = within("the answer", while_demoted.head()).await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");

    app.remove(&acme.admin, bo).await;
    while_gone.write(message.as_bytes()).await;
    let head = within("the answer", while_gone.head()).await;
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_does_not_keep_others_from_being_served() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let query = format!("?token={}", acme.admin.access_token);
    let workers = tokio::runtime::Handle::current().metrics().num_workers();
    let mut floods = Vec::new();
    for _ in 0..=workers {
        let (mut socket, _) = RawSocket::upgrade(&app.base, &query, "", None).await;
        #[expect(clippy::disallowed_methods, reason = "it goes on beside the test, which aborts it")]
        floods.push(tokio::spawn(async move {
            // Empty pongs, which nobody answers.
            let frames = [0x8A, 0x80, 0, 0, 0, 0].repeat(4096);
            loop {
                socket.write(&frames).await;
            }
        }));
    }
    for _ in 0..20 {
        within("an answer beside the flood", async {
            app.as_user(&acme.admin).get("/auth/me").await.expect_status(200);
        })
        .await;
    }
    for flood in floods {
        flood.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_no_organisation_is_refused_without_a_search() {
    let app = TestApp::start().await;
    let token = app
        .app
        .tokens
        .issue(OrgId::new(), UserId::new(), Role::Admin, SessionId::new(), app.clock().now())
        .unwrap();
    // On the server's own threads, where a waiter wakes later than the room's end.
    let (hub, claims) = (app.app.hub.clone(), app.app.tokens.verify(&token, app.clock().now()).unwrap());
    #[expect(clippy::disallowed_methods, reason = "it is awaited at once")]
    let admitted = tokio::spawn(async move { hub.admit(claims.org, claims.sub, claims.sid).await });
    let refused = within("a refusal", admitted).await.unwrap().expect_err("there is no such organisation");
    assert_eq!(refused.code(), Code::SessionEnded);
    app.with_token(&token).get("/auth/me").await.expect_problem(401, "session_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_methods_make_no_metrics() {
    let app = TestApp::start().await;
    for method in ["BREW", "FLY"] {
        app.anonymous()
            .at(Method::from_bytes(method.as_bytes()).unwrap(), "/healthz")
            .await
            .expect_status(405);
    }
    let metrics = app.anonymous().at(Method::GET, "/metrics").await.expect_status(200).text;
    assert!(metrics.contains("method=\"OTHER\"") && !metrics.contains("BREW"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_inside_of_json_is_not_parsed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let body = r#"{"message":"x","data":{"$serde_json::private::RawValue":"[[[[1]]]]"}}"#;
    let call = app.as_user(&acme.admin).post("/organisations/broadcast");
    call.body(Some("application/json"), body).await.expect_problem(400, "malformed_json");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_admins_who_remove_each_other_one_does() {
    for _ in 0..5 {
        let app = TestApp::start().await;
        let acme = app.organisation("Acme").with_admin("bo").with_admin("cy").on_plan("PRO").create().await;
        let (bo, cy) = (&acme["bo"], &acme["cy"]);
        let (one, other) = tokio::join!(
            app.as_user(bo).delete(format!("/users/{}", cy.user_id())),
            app.as_user(cy).delete(format!("/users/{}", bo.user_id())),
        );
        let removed = [&one, &other].iter().filter(|answer| answer.status == 204).count();
        assert_eq!(removed, 1, "{} {}", one.text, other.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_activities_ends_early_and_goes_on() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let large = |number| Activity::BroadcastMessage {
        message: Message::try_from(format!("{number:04}{}", "🐎".repeat(4092))).unwrap(),
        data: None,
        audience: Audience::Everyone,
    };
    app.append_many(&acme.admin, 150, large).await;
    let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page =
            app.as_user(&acme.admin).get(format!("/activities?limit=200{cursor}")).await.expect_json(200);
        pages += 1;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["seq"].as_i64().unwrap()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(pages > 2, "{pages} pages");
    let all: Vec<i64> = (1..=seen.len()).rev().map(|seq| i64::try_from(seq).unwrap()).collect();
    assert!(seen == all && seen.len() > 150, "{seen:?}");
}
