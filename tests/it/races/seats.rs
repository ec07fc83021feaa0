//! Seats and invites.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{at_once, count};
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_accepts_for_the_last_seats_fill_exactly_those() {
    let app = TestApp::start().await;
    // FREE has three seats; two are taken.
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let emails: Vec<String> = (0..20).map(|number| format!("guest{number}@example.com")).collect();
    let invites = join_all(emails.iter().map(|email| app.invite(&acme.admin, email, "MEMBER"))).await;
    let head = app.head(&acme.admin).await;
    let accept = |invite: &Value| {
        let body = json!({ "token": invite["inviteToken"], "name": "Guest", "password": PASSWORD });
        app.anonymous().post("/users/accept-invite").json(&body)
    };
    let answers = at_once(invites.iter().map(accept).collect()).await;
    assert_eq!(count(&answers, 201), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.clone().expect_problem(403, "member_limit_reached");
    }

    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["memberCount"], 3);
    let users = app.as_user(&acme.admin).get("/users").await.expect_status(200).items();
    assert_eq!(users.len(), 3);
    let feed = app.feed_after(&acme.admin, head).await;
    assert_eq!(feed.kinds(), ["USER_JOINED", "SESSION_STARTED"]);
    // Who came too late has no membership, and no account that would stand in their way.
    let winner = feed.0[0].payload()["email"].as_str().unwrap().to_owned();
    for (email, invite) in emails.iter().zip(&invites).take(4) {
        let login = json!({ "email": email, "password": PASSWORD });
        let answer = app.anonymous().post("/auth/login").json(&login).await;
        if *email == winner {
            answer.expect_status(200);
        } else {
            assert!([401, 403].contains(&answer.status), "{}", answer.text);
            accept(invite).await.expect_problem(403, "member_limit_reached");
        }
    }
    app.change_plan(&acme.admin, "PRO").await;
    let (_, late) = emails.iter().zip(&invites).find(|(email, _)| **email != winner).unwrap();
    app.accept(late, "Late", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_invite_lets_one_in_however_often_it_is_used_at_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("ENTERPRISE").create().await;
    let invite = app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let body = json!({ "token": invite["inviteToken"], "name": "Max", "password": PASSWORD });
    let calls = (0..20).map(|_| app.anonymous().post("/users/accept-invite").json(&body));
    let answers = at_once(calls.collect()).await;
    assert_eq!(count(&answers, 201), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.clone().expect_problem(409, "invite_used");
    }
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    assert_eq!(organisation["memberCount"], 2);
    assert_eq!(app.feed(&acme.admin).await.of_type("USER_JOINED").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_and_accepts_at_once_never_overfill() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("PRO").with_member("mia").create().await;
    let emails: Vec<String> = (0..6).map(|number| format!("guest{number}@example.com")).collect();
    let invites = join_all(emails.iter().map(|email| app.invite(&acme.admin, email, "MEMBER"))).await;
    let mut calls: Vec<_> = invites
        .iter()
        .map(|invite| {
            let body = json!({ "token": invite["inviteToken"], "name": "Guest", "password": PASSWORD });
            app.anonymous().post("/users/accept-invite").json(&body)
        })
        .collect();
    let downgrade = app.as_user(&acme.admin).patch("/organisations/subscription");
    calls.insert(3, downgrade.json(&json!({ "plan": "FREE" })));
    let answers = at_once(calls).await;
    let organisation = app.as_user(&acme.admin).get("/organisations").await.expect_json(200);
    let members = organisation["memberCount"].as_u64().unwrap();
    assert_eq!(members, 2 + count(&answers, 201) as u64);
    if let Some(limit) = organisation["memberLimit"].as_u64() {
        assert!(members <= limit, "{organisation}");
    }
    assert_eq!(answers[3].status == 200, organisation["plan"] == "FREE");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_invited_once_at_a_time() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let body = json!({ "email": "max@example.com" });
    let calls = (0..10).map(|_| app.as_user(&acme.admin).post("/users/invite").json(&body));
    let answers = at_once(calls.collect()).await;
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)), "{answers:?}");
    assert!(count(&answers, 201) >= 1);
    let pending = app.as_user(&acme.admin).get("/users/invites").await.expect_status(200).items();
    assert_eq!(pending.len(), 1);
    let feed = app.feed(&acme.admin).await;
    assert_eq!(feed.of_type("USER_INVITED").len(), count(&answers, 201));
}
