//! Suspended: nobody gets in, who is in is put out, and nothing more is taken; resumed: as if nothing had been.

use roomcast_client::CloseCode;
use serde_json::json;

use crate::harness::organisation::fresh_email;
use crate::harness::{Answer, PASSWORD, Person, StreamOptions, TestApp, eventually, options};

/// A request on this node is refused, as it is of a suspended organisation.
async fn expect_suspended(node: &TestApp, person: &Person) {
    let refused = eventually("the suspension on this node", async || {
        let answer = node.as_user(person).get("/auth/me").await;
        (answer.status != 200).then_some(answer)
    });
    refused.await.expect_problem(403, "organisation_suspended");
}

async fn login(node: &TestApp, person: &Person, organisation: Option<&str>) -> Answer {
    let mut body = json!({ "email": person.email, "password": person.password });
    if let Some(organisation) = organisation {
        body["organisation"] = organisation.into();
    }
    node.anonymous().post("/auth/login").json(&body).await
}

async fn refresh(node: &TestApp, person: &Person) -> Answer {
    let body = json!({ "refreshToken": person.refresh_token });
    node.anonymous().post("/auth/refresh").json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_put_out_and_let_in_again() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let mia = &acme["mia"];
    let invite = app.invite(&acme.admin, &fresh_email("eve"), "MEMBER").await;
    let mut socket = app.connect(mia).await;
    let mut stream = app.stream(&acme.admin).await;
    let mut elsewhere = app.connect(&bolt.admin).await;
    let head = app.head(&acme.admin).await;
    app.suspend(&pat, &acme.id).await;

    assert!(socket.expect_close(CloseCode::SUSPENDED).await.is_empty());
    stream.expect_close(CloseCode::SUSPENDED).await;
    for person in [mia, &acme.admin] {
        let refused = app.as_user(person).get("/auth/me").await;
        refused.expect_problem(403, "organisation_suspended");
        login(&app, person, None).await.expect_problem(403, "organisation_suspended");
        refresh(&app, person).await.expect_problem(403, "organisation_suspended");
        app.open(options(person)).await.expect_close(CloseCode::SUSPENDED).await;
    }
    let stream = app.ask_stream(&StreamOptions::new(&mia.access_token)).await;
    stream.expect_problem(403, "organisation_suspended");
    let broadcast =
        app.as_user(&acme.admin).post("/organisations/broadcast").json(&json!({ "message": "x" }));
    broadcast.await.expect_problem(403, "organisation_suspended");
    let body = json!({ "token": invite["inviteToken"], "name": "Eve", "password": PASSWORD });
    let accept = app.anonymous().post("/users/accept-invite").json(&body);
    accept.await.expect_problem(403, "organisation_suspended");
    // Nobody else is concerned.
    let marker = app.broadcast(&bolt.admin, "we go on").await;
    elsewhere.up_to(marker.seq()).await;
    // Once more changes nothing.
    app.suspend(&pat, &acme.id).await;

    app.reopen(&pat, &acme.id).await;
    app.reopen(&pat, &acme.id).await;
    app.as_user(mia).get("/auth/me").await.expect_status(200);
    refresh(&app, mia).await.expect_status(200);
    let mut socket = app.resume(mia, head).await;
    let marker = app.broadcast(&acme.admin, "here we are").await;
    let delivered = socket.up_to(marker.seq()).await;
    assert_eq!(delivered.len(), 1, "only admins see that it was suspended");
    let feed = app.feed_after(&acme.admin, head).await;
    assert_eq!(feed.kinds(), ["ORGANISATION_SUSPENDED", "ORGANISATION_RESUMED", "BROADCAST_MESSAGE"]);
    assert_eq!(feed.0[0].payload()["reason"], "Unpaid since March");
    for item in &feed.0[..2] {
        assert_eq!(item.json["actor"], json!({ "id": pat.id, "name": "Pat (platform)" }));
    }
    app.accept(&invite, "Eve", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_without_a_choice_goes_where_it_may() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let first = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let second = app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
    app.suspend(&pat, &second.organisation_id).await;
    let session = login(&app, &second, None).await.expect_json(200);
    assert_eq!(session["organisation"]["id"], first.organisation_id);
    let named = login(&app, &second, Some(&second.organisation_id)).await;
    named.expect_problem(403, "organisation_suspended");
    let switch = app.as_user(&first).post("/auth/switch");
    let switch = switch.json(&json!({ "organisationId": second.organisation_id }));
    switch.await.expect_problem(403, "organisation_suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_stored_is_refused() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.suspend(&pat, &acme.id).await;
    // Past who was let in: what the writer and a transaction find under the log's lock decides.
    let message = || roomcast::activity::Activity::BroadcastMessage {
        message: "late".to_owned().try_into().unwrap(),
        data: None,
        audience: roomcast::types::Audience::Everyone,
    };
    let origin = || roomcast::activity::Origin {
        org: acme.admin.org_id(),
        actor: None,
        ip: None,
        user_agent: None,
        at: app.clock().now(),
    };
    let refused = app.app.writer.append(origin(), message()).await.expect_err("it is suspended");
    assert_eq!(refused.code().as_str(), "organisation_suspended");
    let refused = in_transaction(&app, &origin(), message()).await.expect_err("it is suspended");
    assert_eq!(refused.code().as_str(), "organisation_suspended");
    app.reopen(&pat, &acme.id).await;
    app.app.writer.append(origin(), message()).await.unwrap();
    in_transaction(&app, &origin(), message()).await.unwrap();
}

async fn in_transaction(
    app: &TestApp,
    origin: &roomcast::activity::Origin,
    activity: roomcast::activity::Activity,
) -> roomcast::error::Result<()> {
    roomcast::transaction!(app.app.db.org(origin.org), |tx| {
        roomcast::activity::append(tx, origin, activity).await?;
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_later_knows_it() {
    let app = TestApp::start().await;
    let pat = app.operator("super_admin").await;
    let acme = app.organisation("Acme").create().await;
    app.suspend(&pat, &acme.id).await;
    let app = app.stop().await.start().await;
    app.as_user(&acme.admin).get("/auth/me").await.expect_problem(403, "organisation_suspended");
    app.open(options(&acme.admin)).await.expect_close(CloseCode::SUSPENDED).await;
    app.reopen(&pat, &acme.id).await;
    app.as_user(&acme.admin).get("/auth/me").await.expect_status(200);
}

/// Suspends on one of two nodes, and resumes on the other.
pub(crate) async fn on_two_nodes(first: &TestApp, second: &TestApp) {
    let pat = first.operator("super_admin").await;
    let acme = first.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let mut there = second.connect(mia).await;
    second.as_user(&acme.admin).get("/users").await.expect_status(200);
    first.suspend(&pat, &acme.id).await;
    there.expect_close(CloseCode::SUSPENDED).await;
    expect_suspended(second, mia).await;
    refresh(second, mia).await.expect_problem(403, "organisation_suspended");
    second.reopen(&pat, &acme.id).await;
    second.as_user(mia).get("/auth/me").await.expect_status(200);
    let back = eventually("the way in on the other node", async || {
        let answer = first.as_user(mia).get("/auth/me").await;
        (answer.status != 403).then_some(answer)
    });
    back.await.expect_status(200);
}
