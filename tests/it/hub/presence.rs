//! `USER_ONLINE` and `USER_OFFLINE`, for those who asked with `presence=1`.

use std::collections::BTreeSet;
use std::time::Duration;

use roomcast_client::Frame;

use crate::harness::{Client, Person, StreamOptions, TestApp, TestSocket, options};

/// A socket that asked for presence.
pub(crate) async fn watch(client: &Client, person: &Person) -> TestSocket {
    client.connect_with(options(person).with_presence()).await
}

/// The next frame about presence: whose, and whether they are online. Other frames may come before it.
pub(crate) async fn next_change(socket: &mut TestSocket) -> (String, bool) {
    loop {
        match socket.next().await {
            (Frame::UserOnline(presence), _) => return (presence.user_id.to_string(), true),
            (Frame::UserOffline(presence), _) => return (presence.user_id.to_string(), false),
            (Frame::Activity(_) | Frame::Pong(_), _) => {}
            (_, text) => panic!("a frame about presence was expected, not {text}"),
        }
    }
}

/// Takes frames about presence until this one came; returns those before it.
pub(crate) async fn changes_before(
    socket: &mut TestSocket,
    whose: &Person,
    online: bool,
) -> Vec<(String, bool)> {
    let mut before = Vec::new();
    loop {
        let change = next_change(socket).await;
        if change == (whose.id.clone(), online) {
            return before;
        }
        before.push(change);
    }
}

async fn quick_server() -> TestApp {
    TestApp::with(|config| config.hub.presence.debounce = Duration::from_millis(300)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn says_who_is_online_and_then_what_changes() {
    let app = quick_server().await;
    let acme = app.organisation("Acme").with_member("mia").with_member("bo").create().await;
    let (mia, bo) = (&acme["mia"], &acme["bo"]);
    let _mia = app.connect(mia).await;
    let mut watching = watch(&app, &acme.admin).await;
    let first = BTreeSet::from([next_change(&mut watching).await, next_change(&mut watching).await]);
    assert_eq!(first, BTreeSet::from([(mia.id.clone(), true), (acme.admin.id.clone(), true)]));
    let (one, two) = (app.connect(bo).await, app.connect(bo).await);
    assert_eq!(next_change(&mut watching).await, (bo.id.clone(), true));
    one.close().await;
    two.close().await;
    assert_eq!(next_change(&mut watching).await, (bo.id.clone(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_within_the_debounce_is_silent() {
    let app = TestApp::with(|config| config.hub.presence.debounce = Duration::from_secs(2)).await;
    let acme = app.organisation("Acme").with_member("mia").with_member("bo").create().await;
    let (mia, bo) = (&acme["mia"], &acme["bo"]);
    let mut watching = watch(&app, &acme.admin).await;
    let socket = app.connect(mia).await;
    changes_before(&mut watching, mia, true).await;
    socket.close().await;
    let _socket = app.connect(mia).await;
    // Who came and went after that is told first, so nothing was to be told of the other.
    app.connect(bo).await.close().await;
    assert_eq!(changes_before(&mut watching, bo, false).await, [(bo.id.clone(), true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_for_those_who_ask() {
    let app = quick_server().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut quiet = app.connect(&acme.admin).await;
    let mut watching = watch(&app, &acme.admin).await;
    app.connect(&acme["mia"]).await.close().await;
    changes_before(&mut watching, &acme["mia"], false).await;
    let marker = app.broadcast(&acme.admin, "marker").await;
    assert_eq!(super::texts(&quiet.up_to(marker.seq()).await), [marker.text.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_offline_at_once() {
    // So long that only the removal can be what is told.
    let app = TestApp::with(|config| config.hub.presence.debounce = Duration::from_hours(1)).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let mut watching = watch(&app, &acme.admin).await;
    let mut socket = watch(&app, mia).await;
    changes_before(&mut watching, mia, true).await;
    app.remove(&acme.admin, mia).await;
    assert_eq!(next_change(&mut watching).await, (mia.id.clone(), false));
    socket.expect_removed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_told_as_well() {
    let app = quick_server().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let options = StreamOptions::new(&acme.admin.access_token).parameter("presence", 1);
    let mut stream = app.stream_with(&options).await;
    let socket = app.connect(mia).await;
    let mut told = Vec::new();
    while told.len() < 2 {
        match stream.next().await {
            (Frame::UserOnline(presence), _) => told.push(presence.user_id.to_string()),
            (Frame::Activity(_) | Frame::Pong(_), _) => {}
            (_, text) => panic!("{text}"),
        }
    }
    assert!(told.contains(&mia.id) && told.contains(&acme.admin.id), "{told:?}");
    socket.close().await;
    loop {
        if let (Frame::UserOffline(presence), _) = stream.next().await {
            assert_eq!(presence.user_id.to_string(), mia.id);
            break;
        }
    }
    app.as_user(mia).get("/stream?presence=2").await.expect_invalid(&["presence"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_come_at_once_are_all_told() {
    const MEMBERS: usize = 40;
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("ENTERPRISE").create().await;
    let mut watching = watch(&app, &acme.admin).await;
    let mut people = Vec::new();
    for number in 0..MEMBERS {
        people.push(app.add(&acme.admin, &format!("member{number}"), "MEMBER").await);
    }
    let sockets = futures_util::future::join_all(people.iter().map(|person| watch(&app, person))).await;
    let all: BTreeSet<(String, bool)> =
        people.iter().chain([&acme.admin]).map(|person| (person.id.clone(), true)).collect();
    for socket in sockets.into_iter().chain([watching]) {
        watching = socket;
        let mut told = BTreeSet::new();
        while told.len() < all.len() {
            assert!(told.insert(next_change(&mut watching).await), "nobody is told twice");
        }
        assert_eq!(told, all);
    }
}
