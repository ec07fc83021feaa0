//! What a stream says while it is open.

use std::time::Duration;

use roomcast::activity::Activity;
use roomcast::types::{Email, InviteId, Role};
use roomcast_client::{CloseCode, Frame};

use crate::harness::{Client, StreamOptions, Streamed, TestApp, TestStream, within};

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
async fn the_welcome_says_where_it_starts() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let head = app.head(&acme.admin).await;
    let options = StreamOptions::new(&acme.admin.access_token).token_in_query();
    let mut stream = app.try_stream(&options).await.unwrap();
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
        ("x-content-type-options", "nosniff"),
        ("connection", "close"),
    ] {
        assert_eq!(stream.header(name), Some(value), "{name}");
    }
    let (frame, _) = stream.next().await;
    let Frame::Welcome(welcome) = frame else { panic!("{frame:?}") };
    assert_eq!((welcome.seq, welcome.head_seq, welcome.resumed), (head, head, false));
    assert_eq!((welcome.role.as_str(), welcome.heartbeat_seconds), ("ADMIN", 15));
    assert_eq!(stream.position(), head);
    let retry = stream.retry().expect("a browser is told when to come back").as_millis();
    assert!((1000..=2000).contains(&retry), "{retry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_and_a_position_come_with_every_heartbeat() {
    let app =
        TestApp::with(|config| config.server.timeouts.stream_heartbeat = Duration::from_millis(100)).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut stream = app.stream(&acme["mia"]).await;
    let mut head = app.head(&acme.admin).await;
    for _ in 0..3 {
        let comment = within("a comment", stream.receive()).await;
        assert!(matches!(comment, Streamed::Comment), "{comment:?}");
        match within("a position", stream.receive()).await {
            Streamed::Frame { frame: Frame::Pong(pong), id, .. } => {
                assert_eq!(id, Some(pong.seq.to_string()));
                assert_eq!(pong.seq, head);
            }
            other => panic!("a PONG was expected, not {other:?}"),
        }
        // Nothing of it is for her, and her position moves all the same.
        app.invite(&acme.admin, &format!("{head}@example.com"), "MEMBER").await;
        head += 1;
        if stream.position() == head {
            break;
        }
        // A heartbeat may fall between the two.
        head = app.head(&acme.admin).await;
        eventually_at(&mut stream, head).await;
    }
}

/// Takes heartbeats until this position.
async fn eventually_at(stream: &mut TestStream, seq: i64) {
    assert!(stream.up_to(seq).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_comes_after_a_thousand_activities_for_others() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut stream = app.stream(&acme["mia"]).await;
    let start = stream.welcome().seq;
    let invited = |_number| Activity::UserInvited {
        invite: InviteId::new(),
        email: Email::try_from("somebody@example.com".to_owned()).unwrap(),
        role: Role::Member,
    };
    let told = app.append_many(&acme.admin, 1100, invited).await.get();
    match stream.next().await {
        (Frame::Pong(pong), _) => {
            assert!((start + 1..=told).contains(&pong.seq), "{}", pong.seq);
            assert_eq!(stream.position(), pong.seq);
        }
        (_, text) => panic!("a PONG was expected, not {text}"),
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
async fn a_drain_tells_each_its_share_and_goes_on_until_then() {
    let app = TestApp::with(|config| config.server.drain_seconds = Duration::from_secs(2)).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let client = Client::clone(&app);
    let mut streams = [client.stream(&acme["mia"]).await, client.stream(&acme.admin).await];
    let leaving = async {
        let mut shares = Vec::new();
        for stream in &mut streams {
            let position = stream.position();
            match stream.next().await {
                (Frame::GoAway(away), _) => shares.push(away.closes_in_ms),
                (_, text) => panic!("a GOAWAY was expected, not {text}"),
            }
            assert_eq!(stream.position(), position, "it moves nobody");
        }
        let options = StreamOptions::new(&acme.admin.access_token);
        client.ask_stream(&options).await.expect_problem(503, "draining");
        let sent = client.broadcast(&acme.admin, "still here").await;
        for stream in &mut streams {
            let before = stream.expect_close(CloseCode::RESTART).await;
            assert_eq!(before.iter().map(|one| &one.text).collect::<Vec<_>>(), [&sent.text]);
        }
        shares.sort_unstable();
        shares
    };
    let (_ground, shares) = tokio::join!(app.stop(), leaving);
    assert!(shares[0] < 1000 && shares[1] <= 2000, "{shares:?}");
}
