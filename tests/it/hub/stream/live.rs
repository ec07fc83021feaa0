//! What a stream says while it is open.

use roomcast_client::{CloseCode, Frame};

use crate::harness::{StreamOptions, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_as_the_sockets_frames() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut socket = app.connect(&acme["mia"]).await;
    let mut stream = app.stream(&acme["mia"]).await;
    for number in 0..100 {
        app.broadcast(&acme.admin, &format!("line\none: {number}\r\n\n")).await;
        let (by_socket, by_stream) = (socket.next_activity().await, stream.next_activity().await);
        assert_eq!(by_socket.text, by_stream.text);
        assert_eq!(stream.last_id(), by_stream.activity.seq.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_it_with_come_back_at_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let mut stream = app.stream(&acme.admin).await;
    let (_ground, before) = tokio::join!(app.stop(), stream.expect_close(CloseCode::RESTART));
    assert!(before.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_welcome_says_where_it_starts() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let head = app.head(&acme.admin).await;
    let options = StreamOptions::new(&acme.admin.access_token).token_in_query();
    let mut stream = app.try_stream(&options).await.unwrap();
    assert_eq!(stream.header("cache-control"), Some("no-store"));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    let (frame, _) = stream.next().await;
    let Frame::Welcome(welcome) = frame else { panic!("{frame:?}") };
    assert_eq!((welcome.seq, welcome.head_seq, welcome.resumed), (head, head, false));
    assert_eq!((welcome.role.as_str(), welcome.heartbeat_seconds), ("ADMIN", 15));
    assert_eq!(stream.position(), head);
    let retry = stream.retry().expect("a browser is told when to come back").as_millis();
    assert!((1000..=2000).contains(&retry), "{retry}");
}
