//! The PONG that nobody asked for: a member's position moves although nothing is for them.

use roomcast::activity::Activity;
use roomcast::types::{Email, InviteId, Role};
use roomcast_client::Frame;

use crate::harness::TestApp;

/// A thousand, and a few: not every append looks for who is due.
const MANY: usize = 1100;

fn invited(_number: usize) -> Activity {
    let email = Email::try_from("somebody@example.com".to_owned()).unwrap();
    Activity::UserInvited { invite: InviteId::new(), email, role: Role::Member }
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_after_a_thousand_activities_for_others() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut socket = app.connect(&acme["mia"]).await;
    let start = socket.welcome().seq;
    let told = app.append_many(&acme.admin, MANY, invited).await.get();
    match socket.next().await {
        (Frame::Pong(pong), _) => assert!((start + 1..=told).contains(&pong.seq), "{}", pong.seq),
        (_, text) => panic!("a PONG was expected, not {text}"),
    }
    // The next one is as far away again.
    app.append_many(&acme.admin, MANY, invited).await;
    match socket.next().await {
        (Frame::Pong(pong), _) => assert!(pong.seq > start + 1000, "{}", pong.seq),
        (_, text) => panic!("a PONG was expected, not {text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_replay_of_nothing_for_this_member_ends_in_a_position() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let start = app.head(&acme.admin).await;
    let end = app.append_many(&acme.admin, 1500, invited).await.get();
    let mut socket = app.resume(&acme["mia"], start).await;
    match socket.next().await {
        (Frame::Pong(pong), _) => assert!(pong.seq > start, "{}", pong.seq),
        (_, text) => panic!("a PONG was expected, not {text}"),
    }
    assert!(socket.up_to(end).await.is_empty());
    // From there a resume has nothing to walk over.
    let again = app.resume(&acme["mia"], end).await;
    assert!(again.welcome().resumed);
}
