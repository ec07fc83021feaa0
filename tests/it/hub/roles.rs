//! What only admins may see, before, during and after being one.

use super::texts;
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_never_sees_what_is_for_admins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("max").create().await;
    let mut live = app.connect(&acme["max"]).await;
    for _ in 0..3 {
        let phone = app.sign_in(&acme["mia"]).await;
        app.as_user(&phone).post("/auth/logout").await.expect_status(204);
    }
    app.change_plan(&acme.admin, "PRO").await;
    let invite = app.invite(&acme.admin, "secret@example.com", "MEMBER").await;
    let path = format!("/users/invites/{}", invite["id"].as_str().unwrap());
    app.as_user(&acme.admin).delete(path).await.expect_status(204);
    let head = app.head(&acme.admin).await;
    assert_eq!(live.up_to(head).await.len(), 1, "the plan");
    let mut resumed = app.resume(&acme["max"], 0).await;
    let resumed = resumed.up_to(head).await;
    for one in &resumed {
        let item = one.item();
        assert!(!["USER_INVITED", "INVITE_REVOKED"].contains(&item.kind()), "{}", one.text);
        if item.kind().starts_with("SESSION_") {
            assert_eq!(item.payload()["userId"], acme["max"].id, "{}", one.text);
        }
        assert!(!one.text.contains("secret@example.com"), "{}", one.text);
    }
    assert_eq!(texts(&resumed), app.feed(&acme["max"]).await.texts());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_and_a_demotion_count_from_their_place_in_the_log() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("PRO").with_member("mia").create().await;
    let mia = &acme["mia"];
    let start = app.head(&acme.admin).await;
    let mut live = app.connect(mia).await;
    let invite = async |name: &str| {
        app.invite(&acme.admin, &format!("{name}@example.com"), "MEMBER").await;
    };
    invite("before").await;
    app.change_role(&acme.admin, mia, "ADMIN").await;
    invite("during").await;
    let during = app.head(&acme.admin).await;
    let delivered = live.expect_only(during, &["USER_ROLE_CHANGED", "USER_INVITED"]).await;
    assert_eq!(delivered[1].item().payload()["email"], "during@example.com");
    app.change_role(&acme.admin, mia, "MEMBER").await;
    invite("after").await;
    let marker = app.broadcast(&acme.admin, "marker").await;
    live.expect_only(marker.seq(), &["USER_ROLE_CHANGED", "BROADCAST_MESSAGE"]).await;
    // A member's resume shows nothing of what only admins may see, whatever they were in between.
    let mut resumed = app.resume(mia, start).await;
    let expected = ["USER_ROLE_CHANGED", "USER_ROLE_CHANGED", "BROADCAST_MESSAGE"];
    resumed.expect_only(marker.seq(), &expected).await;
    // Promoted again, they see it from there on, and what was while they were an admin before.
    app.change_role(&acme.admin, mia, "ADMIN").await;
    let head = app.head(&acme.admin).await;
    let delivered = app.resume(mia, start).await.up_to(head).await;
    let invited = delivered.iter().filter(|one| one.activity.kind == "USER_INVITED");
    let emails: Vec<String> = invited.map(|one| one.item().payload()["email"].to_string()).collect();
    assert_eq!(emails, [r#""during@example.com""#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_member_does_not_get_what_was_before() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    app.invite(&acme.admin, "early@example.com", "MEMBER").await;
    app.change_role(&acme.admin, &acme["mia"], "ADMIN").await;
    let marker = app.broadcast(&acme.admin, "marker").await;
    let mut socket = app.resume(&acme["mia"], 0).await;
    assert_eq!(socket.welcome().role, "ADMIN");
    let delivered = socket.up_to(marker.seq()).await;
    assert!(delivered.iter().all(|one| one.activity.kind != "USER_INVITED"), "{:?}", texts(&delivered));
    app.invite(&acme.admin, "late@example.com", "MEMBER").await;
    socket.expect_activity("USER_INVITED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_sockets_of_the_same_user_follow() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    let phone = app.sign_in(&acme["bo"]).await;
    let mut sockets = [app.connect(&acme["bo"]).await, app.connect(&phone).await];
    app.change_role(&acme.admin, &acme["bo"], "MEMBER").await;
    app.invite(&acme.admin, "max@example.com", "MEMBER").await;
    let marker = app.broadcast(&acme.admin, "marker").await;
    for socket in &mut sockets {
        socket.expect_only(marker.seq(), &["USER_ROLE_CHANGED", "BROADCAST_MESSAGE"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_after_a_removal_starts_anew() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    app.invite(&acme.admin, "secret@example.com", "MEMBER").await;
    app.remove(&acme.admin, &acme["bo"]).await;
    let back = app.invite(&acme.admin, &acme["bo"].email, "MEMBER").await;
    let bo = app.accept(&back, "Bo", PASSWORD).await;
    let marker = app.broadcast(&acme.admin, "marker").await;
    let delivered = app.resume(&bo, 0).await.up_to(marker.seq()).await;
    assert!(!texts(&delivered).concat().contains("secret@example.com"), "another membership, another role");
    assert_eq!(texts(&delivered), app.feed(&bo).await.texts());
}
