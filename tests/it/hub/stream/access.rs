//! Who sees what on a stream, and whose ends.

use std::time::Duration;

use roomcast_client::CloseCode;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp};
use crate::hub::texts;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_shows_what_its_user_may_see_and_nothing_of_others() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let mut streams =
        [app.stream(&acme.admin).await, app.stream(&acme["mia"]).await, app.stream(&bolt.admin).await];
    let starts: Vec<i64> = streams.iter().map(|stream| stream.welcome().seq).collect();
    app.invite(&acme.admin, "secret@example.com", "MEMBER").await;
    app.sign_in(&acme.admin).await;
    app.sign_in(&acme["mia"]).await;
    app.broadcast(&bolt.admin, "Bolt's").await;
    let markers = [app.broadcast(&acme.admin, "Acme's").await, app.broadcast(&bolt.admin, "the last").await];
    let people = [&acme.admin, &acme["mia"], &bolt.admin];
    for (index, stream) in streams.iter_mut().enumerate() {
        let delivered = stream.up_to(markers[index / 2].seq()).await;
        assert_eq!(texts(&delivered), app.feed_after(people[index], starts[index]).await.texts());
        assert_eq!(delivered.iter().any(|one| one.text.contains("secret@example.com")), index == 0);
        assert_eq!(delivered.iter().any(|one| one.text.contains("Bolt's")), index == 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_and_a_demotion_count_from_their_place_in_the_log() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("PRO").with_member("mia").create().await;
    let mia = &acme["mia"];
    let mut stream = app.stream(mia).await;
    app.invite(&acme.admin, "before@example.com", "MEMBER").await;
    app.change_role(&acme.admin, mia, "ADMIN").await;
    app.invite(&acme.admin, "during@example.com", "MEMBER").await;
    let head = app.head(&acme.admin).await;
    let delivered = stream.up_to(head).await;
    let kinds: Vec<&str> = delivered.iter().map(|one| one.activity.kind.as_str()).collect();
    assert_eq!(kinds, ["USER_ROLE_CHANGED", "USER_INVITED"]);
    assert_eq!(delivered[1].item().payload()["email"], "during@example.com");
    app.change_role(&acme.admin, mia, "MEMBER").await;
    app.invite(&acme.admin, "after@example.com", "MEMBER").await;
    let marker = app.broadcast(&acme.admin, "marker").await;
    let delivered = stream.up_to(marker.seq()).await;
    let kinds: Vec<&str> = delivered.iter().map(|one| one.activity.kind.as_str()).collect();
    assert_eq!(kinds, ["USER_ROLE_CHANGED", "BROADCAST_MESSAGE"]);
    let mut again = app.resume_stream(mia, 0).await;
    assert_eq!(texts(&again.up_to(marker.seq()).await), app.feed(mia).await.texts());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_ends_the_users_streams_and_no_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let phone = app.sign_in(&acme["mia"]).await;
    let own = app.register("Own", "Mia", &acme["mia"].email, PASSWORD).await;
    let mut ended = [app.stream(&acme["mia"]).await, app.stream(&phone).await];
    let mut kept = [app.stream(&acme["max"]).await, app.stream(&own).await];
    app.remove(&acme.admin, &acme["mia"]).await;
    let marker = app.broadcast(&acme.admin, "not for Mia").await;
    for stream in &mut ended {
        let owed = stream.expect_close(CloseCode::REMOVED).await;
        assert!(owed.is_empty(), "owed nothing more, not even its own USER_REMOVED");
    }
    let delivered = kept[0].up_to(marker.seq()).await;
    let kinds: Vec<&str> = delivered.iter().map(|one| one.activity.kind.as_str()).collect();
    assert_eq!(kinds, ["USER_REMOVED", "BROADCAST_MESSAGE"]);
    let marker = app.broadcast(&own, "still here").await;
    assert_eq!(texts(&kept[1].up_to(marker.seq()).await), [marker.text.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_and_a_new_password_end_the_streams_of_their_sessions() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let (phone, tablet) = (app.sign_in(mia).await, app.sign_in(mia).await);
    let mut kept = app.stream(mia).await;
    let (mut first, mut second) = (app.stream(&phone).await, app.stream(&tablet).await);
    app.as_user(&phone).post("/auth/logout").await.expect_status(204);
    first.expect_close(CloseCode::UNAUTHENTICATED).await;
    let body = json!({ "password": "a fresh password", "currentPassword": PASSWORD });
    app.as_user(mia).patch("/auth/me").json(&body).await.expect_status(200);
    second.expect_close(CloseCode::UNAUTHENTICATED).await;
    let marker = app.broadcast(&acme.admin, "still here").await;
    let last = kept.up_to(marker.seq()).await.pop().unwrap();
    assert_eq!(last.text, marker.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let app = TestApp::with(|config| config.auth.access_lifetime = Duration::from_secs(3)).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut stream = app.stream(&ana).await;
    let expires = ana.claims()["exp"].as_i64().unwrap();
    stream.expect_close(CloseCode::UNAUTHENTICATED).await;
    let now = app.clock().now().as_millis();
    assert!((expires * 1000 - 50..expires * 1000 + 5000).contains(&now), "{now} {expires}");
}
