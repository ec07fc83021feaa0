//! Live delivery: everything, to everyone whom it is for, once, in order, as the bytes of the feed.

use std::collections::BTreeSet;

use serde_json::json;

use super::texts;
use crate::harness::{PASSWORD, Person, TestApp};

/// Does everything that can happen to an organisation while its members watch.
async fn live_through_everything(app: &TestApp, admin: &Person, mia: &Person) {
    app.broadcast(admin, "first").await;
    app.as_user(admin).patch("/organisations").json(&json!({ "name": "Acme & Co" })).await.expect_status(200);
    app.change_plan(admin, "PRO").await;
    let invite = app.invite(admin, "bo@example.com", "MEMBER").await;
    let bo = app.accept(&invite, "Bo", PASSWORD).await;
    let revoked = app.invite(admin, "moe@example.com", "ADMIN").await;
    let path = format!("/users/invites/{}", revoked["id"].as_str().unwrap());
    app.as_user(admin).delete(path).await.expect_status(204);
    app.change_role(admin, &bo, "ADMIN").await;
    app.broadcast(&bo, "from Bo").await;
    let phone = app.sign_in(mia).await;
    app.as_user(&phone).post("/auth/logout").await.expect_status(204);
    app.as_user(mia).patch("/auth/me").json(&json!({ "name": "Mia M." })).await.expect_status(200);
    app.sign_in(&bo).await;
    let body = json!({ "password": "a fresh password", "currentPassword": PASSWORD });
    app.as_user(&bo).patch("/auth/me").json(&body).await.expect_status(200);
    app.remove(admin, &bo).await;
    app.change_plan(admin, "FREE").await;
    let data = json!({ "message": "last", "data": { "ü": [1, "\u{2028}", { "seq": 1 }] } });
    app.as_user(admin).post("/organisations/broadcast").json(&data).await.expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_reaches_everyone_it_is_for_as_the_bytes_of_the_feed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let (ada, mia) = (&acme.admin, &acme["mia"]);
    let start = app.head(ada).await;
    let mut sockets = [app.connect(ada).await, app.connect(mia).await, app.connect(ada).await];
    live_through_everything(&app, ada, mia).await;
    let head = app.head(ada).await;
    let mut live = Vec::new();
    for socket in &mut sockets {
        live.push(socket.up_to(head).await);
    }
    let kinds: BTreeSet<String> = app.feed(ada).await.kinds().into_iter().map(str::to_owned).collect();
    let expected = [
        "BROADCAST_MESSAGE",
        "INVITE_REVOKED",
        "ORGANISATION_CREATED",
        "ORGANISATION_UPDATED",
        "PASSWORD_CHANGED",
        "PLAN_DOWNGRADED",
        "PLAN_UPGRADED",
        "SESSION_ENDED",
        "SESSION_STARTED",
        "USER_INVITED",
        "USER_JOINED",
        "USER_REMOVED",
        "USER_ROLE_CHANGED",
    ];
    for kind in expected {
        assert!(kinds.contains(kind), "{kind} among {kinds:?}");
    }
    for (person, live) in [(ada, &live[0]), (mia, &live[1]), (ada, &live[2])] {
        assert_eq!(texts(live), app.feed_after(person, start).await.texts(), "{}", person.name);
    }
    // And once more for who comes later.
    for person in [ada, mia] {
        let delivered = app.resume(person, 0).await.up_to(head).await;
        assert_eq!(texts(&delivered), app.feed(person).await.texts(), "{}", person.name);
    }
    let admins_only = ["USER_INVITED", "INVITE_REVOKED", "PASSWORD_CHANGED"];
    assert!(live[1].iter().all(|one| !admins_only.contains(&one.activity.kind.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_is_the_answer_the_frame_and_the_item_of_the_feed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut sockets = [app.connect(&acme.admin).await, app.connect(&acme["mia"]).await];
    for text in ["plain", "\u{2028} \"quoted\" \\ 🐎 \u{7f} <b>&amp;</b>", "tab\tnew\nline"] {
        let answered = app.broadcast(&acme.admin, text).await;
        for socket in &mut sockets {
            assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, answered.text);
        }
        let feed = app.feed_after(&acme["mia"], answered.seq() - 1).await;
        assert_eq!(feed.texts(), [answered.text.as_str()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_at_once_comes_in_the_order_of_the_log() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut sockets = [app.connect(&acme.admin).await, app.connect(&acme["mia"]).await];
    let sends = (0..200).map(|number| app.broadcast_text(&acme.admin, number.to_string()));
    let answered = futures_util::future::join_all(sends).await;
    let head = answered.iter().map(crate::harness::Item::seq).max().unwrap();
    let feed = app.feed_after(&acme.admin, head - 200).await;
    for socket in &mut sockets {
        assert_eq!(texts(&socket.up_to(head).await), feed.texts());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_do_not_hear_each_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let mut acmes = app.connect(&acme.admin).await;
    let mut bolts = app.connect(&bolt.admin).await;
    let to_acme = app.broadcast(&acme.admin, "for Acme").await;
    let to_bolt = app.broadcast(&bolt.admin, "for Bolt").await;
    assert_eq!(texts(&acmes.up_to(to_acme.seq()).await), [to_acme.text.as_str()]);
    assert_eq!(texts(&bolts.up_to(to_bolt.seq()).await), [to_bolt.text.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_empty_for_a_while_misses_nothing() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for round in 0..5 {
        let mut socket = app.connect(&ana).await;
        assert_eq!(socket.welcome().seq, app.head(&ana).await);
        let sent = app.broadcast(&ana, "seen").await;
        assert_eq!(texts(&socket.up_to(sent.seq()).await), [sent.text.as_str()]);
        socket.close().await;
        let missed = app.broadcast(&ana, &format!("missed {round}")).await;
        let mut socket = app.resume(&ana, sent.seq()).await;
        assert_eq!(texts(&socket.up_to(missed.seq()).await), [missed.text.as_str()]);
    }
}
