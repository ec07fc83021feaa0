use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use roomcast_client::{
    Backoff, CloseCode, ConnectOptions, Error, Event, GapReason, Position, RefreshError, Subscription, Token,
    Verifier, Violation,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::server::{EPOCH, ORGANISATION, Server, welcome, within};

/// Waits are random and tiny: nothing here depends on their length.
const QUICK: Backoff = Backoff { base: Duration::from_millis(1), max: Duration::from_millis(5) };

fn subscribe(server: &Server) -> Subscription {
    subscribe_with(server, ConnectOptions::new("old"))
}

fn subscribe_with(server: &Server, options: ConnectOptions) -> Subscription {
    Subscription::new(server.url(), options).backoff(QUICK).verify_with(Verifier::recording(ORGANISATION))
}

/// The next event in short, for tests that read like the log of a client.
async fn next(subscription: &mut Subscription) -> String {
    match within(subscription.next()).await {
        None => "ended".to_owned(),
        Some(Event::Connected(welcome)) => format!("connected at {}", welcome.seq),
        Some(Event::Activity(activity)) => format!("activity {}", activity.seq),
        Some(Event::Position { seq }) => format!("position {seq}"),
        Some(Event::Gap(gap)) => format!("gap until {}", gap.next_seq),
        Some(Event::Disconnected { code, .. }) => format!("closed with {code}"),
        Some(Event::Failed(Error::Refused { status, .. })) => format!("refused with {status}"),
        Some(Event::Failed(error)) => format!("failed: {error}"),
        Some(other) => format!("{other:?}"),
    }
}

async fn expect(subscription: &mut Subscription, events: &[&str]) {
    for event in events {
        assert_eq!(next(subscription).await, *event);
    }
}

#[tokio::test]
async fn a_lost_link_is_resumed_and_duplicates_are_dropped() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    let script = async {
        let mut peer = server.accept().await;
        assert_eq!((peer.parameter("after"), peer.parameter("epoch")), (None, None));
        peer.welcome(0, false).await;
        peer.activities([1, 2]).await;
        peer.pong(5).await;
        peer.cut();

        let mut peer = server.accept().await;
        assert_eq!(peer.parameter("after"), Some("5"));
        assert_eq!(peer.parameter("epoch"), Some(EPOCH.to_string().as_str()));
        peer.welcome(5, true).await;
        peer.activities([2, 6, 6, 7]).await;
        peer
    };
    let client = async {
        expect(&mut subscription, &["connected at 0", "activity 1", "activity 2"]).await;
        expect(&mut subscription, &["position 5", "closed with 1006"]).await;
        expect(&mut subscription, &["connected at 5", "activity 6", "activity 7"]).await;
    };
    let (_peer, ()) = tokio::join!(script, client);

    assert_eq!(subscription.position(), Some(Position { seq: 7, epoch: Some(EPOCH) }));
    let verifier = subscription.verifier().unwrap();
    assert_eq!(verifier.violations(), [2, 6].map(|seq| Violation::Doubled { seq }));
    assert!(verifier.compare(&[1, 2, 6, 7]).unwrap().is_exact());
}

#[tokio::test]
async fn a_node_that_goes_away_is_told_and_left_at_its_close() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    let script = async {
        let mut peer = server.accept().await;
        peer.welcome(0, false).await;
        peer.activities([1]).await;
        peer.send(r#"{"type":"GOAWAY","payload":{"closesInMs":1500}}"#).await;
        peer.activities([2]).await;
        peer.close(1012, "restart").await;
        let mut peer = server.accept().await;
        assert_eq!(peer.parameter("after"), Some("2"));
        peer.welcome(2, true).await;
        peer
    };
    let client = async {
        expect(&mut subscription, &["connected at 0", "activity 1"]).await;
        expect(&mut subscription, &["Other(GoAway(GoAway { closes_in_ms: 1500 }))", "activity 2"]).await;
        expect(&mut subscription, &["closed with 1012", "connected at 2"]).await;
    };
    tokio::join!(script, client);
}

#[tokio::test]
async fn a_saved_position_is_where_it_starts() {
    let server = Server::start().await;
    let mut subscription = subscribe_with(&server, ConnectOptions::new("t").after(41).epoch(EPOCH));
    assert_eq!(subscription.position(), Some(Position { seq: 41, epoch: Some(EPOCH) }));
    let script = async {
        let mut peer = server.accept_resumed().await;
        peer.activities([42]).await;
        peer
    };
    let client = expect(&mut subscription, &["connected at 41", "activity 42"]);
    let (_peer, ()) = tokio::join!(script, client);
}

#[tokio::test]
async fn an_expired_token_is_refreshed_and_the_stream_goes_on() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server).refresh_with(|| async { Ok(Token::from("new")) });
    let script = async {
        let mut peer = server.accept().await;
        assert_eq!(peer.parameter("token"), Some("old"));
        peer.welcome(0, false).await;
        peer.activities([1]).await;
        peer.close(4401, "expired").await;

        let mut peer = server.accept_resumed().await;
        assert_eq!((peer.parameter("token"), peer.parameter("after")), (Some("new"), Some("1")));
        peer.activities([2]).await;
        peer
    };
    let client = async {
        expect(&mut subscription, &["connected at 0", "activity 1", "closed with 4401"]).await;
        expect(&mut subscription, &["connected at 1", "activity 2"]).await;
    };
    let (_peer, ()) = tokio::join!(script, client);
}

#[tokio::test]
async fn without_a_refresh_an_expired_token_is_the_end() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    let script = async { server.accept().await.close(4401, "expired").await };
    let client = expect(&mut subscription, &["closed with 4401", "ended", "ended"]);
    tokio::join!(script, client);
}

#[tokio::test]
async fn a_refresh_is_asked_again_until_it_is_refused() {
    let server = Server::start().await;
    let mut calls = 0;
    let options = ConnectOptions::default();
    let mut subscription = subscribe_with(&server, options).refresh_with(move || {
        calls += 1;
        let last = calls == 3;
        async move {
            Err(if last {
                RefreshError::refused("gone")
            } else {
                RefreshError::unavailable("off")
            })
        }
    });
    expect(
        &mut subscription,
        &[
            "failed: a fresh token is not available now",
            "failed: a fresh token is not available now",
            "failed: a fresh token was refused",
            "ended",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_dropped_future_does_not_ask_for_a_second_token() {
    let server = Server::start().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let answers = Arc::new(Semaphore::new(0));
    let (counted, awaited) = (calls.clone(), answers.clone());
    let options = ConnectOptions::default();
    let mut subscription = subscribe_with(&server, options).refresh_with(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let awaited = awaited.clone();
        async move {
            awaited.acquire().await.map_err(RefreshError::unavailable)?.forget();
            Ok(Token::from("slow"))
        }
    });
    while calls.load(Ordering::Relaxed) == 0 {
        assert!(subscription.next().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert!(subscription.next().now_or_never().is_none());
    answers.add_permits(1);
    let script = async {
        let mut peer = server.accept().await;
        assert_eq!(peer.parameter("token"), Some("slow"));
        peer.welcome(0, false).await;
        peer
    };
    let (_peer, ()) = tokio::join!(script, expect(&mut subscription, &["connected at 0"]));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn codes_that_say_so_end_it() {
    for code in [1009, 4400, 4403, 4404, 4499] {
        let server = Server::start().await;
        let mut subscription = subscribe(&server);
        let script = async { server.accept().await.close(code, "").await };
        let client = async {
            assert_eq!(next(&mut subscription).await, format!("closed with {code}"));
            assert_eq!(next(&mut subscription).await, "ended");
        };
        tokio::join!(script, client);
    }
}

#[tokio::test]
async fn other_codes_are_tried_again() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    let codes = [4408, 4429, 4503, 1011, 1001, 1012, 1012, 1012, 3999];
    let script = async {
        for code in codes {
            server.accept().await.close(code, "").await;
        }
    };
    let client = async {
        for code in codes {
            assert_eq!(next(&mut subscription).await, format!("closed with {code}"));
        }
    };
    tokio::join!(script, client);
}

#[tokio::test]
async fn a_refused_handshake_is_tried_again() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    let script = async {
        server.refuse("503 Service Unavailable", "Retry-After: 0\r\n", "").await;
        let mut peer = server.accept().await;
        peer.welcome(0, false).await;
        peer
    };
    let client = expect(&mut subscription, &["refused with 503", "connected at 0"]);
    let (_peer, ()) = tokio::join!(script, client);
}

#[tokio::test]
async fn an_address_that_cannot_work_ends_it() {
    let mut subscription = Subscription::new("nowhere", ConnectOptions::new("t"));
    expect(
        &mut subscription,
        &["failed: \"nowhere\" is not an address of the form http://host:port", "ended"],
    )
    .await;
}

#[tokio::test]
async fn a_frame_that_nobody_understands_is_asked_for_again() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    let script = async {
        let mut peer = server.accept().await;
        peer.welcome(3, false).await;
        peer.send(r#"{"type":"USER_JOINED","seq":4}"#).await;
        let mut peer = server.accept_resumed().await;
        assert_eq!(peer.parameter("after"), Some("3"));
        peer.activities([4]).await;
        peer
    };
    let client = async {
        expect(&mut subscription, &["connected at 3", "failed: a frame cannot be decoded"]).await;
        expect(&mut subscription, &["connected at 3", "activity 4"]).await;
    };
    let (_peer, ()) = tokio::join!(script, client);
}

#[tokio::test]
async fn a_replaced_log_is_told_and_followed() {
    let server = Server::start().await;
    let other = Uuid::from_u128(0xe1);
    let mut subscription = subscribe(&server);
    let script = async {
        let mut peer = server.accept().await;
        peer.welcome(70, false).await;
        peer.activities([71]).await;
        peer.close(1012, "log replaced").await;

        let mut peer = server.accept().await;
        peer.send(welcome(2, other, false, 25)).await;
        peer.gap("epoch_changed", 3).await;
        peer.activities([3]).await;
        peer
    };
    let client = async {
        expect(&mut subscription, &["connected at 70", "activity 71", "closed with 1012"]).await;
        assert_eq!(next(&mut subscription).await, "connected at 2");
        let Some(Event::Gap(gap)) = within(subscription.next()).await else { panic!("no gap") };
        assert_eq!((gap.reason, gap.next_seq), (GapReason::EpochChanged, 3));
        expect(&mut subscription, &["activity 3"]).await;
    };
    let (_peer, ()) = tokio::join!(script, client);
    assert_eq!(subscription.position(), Some(Position { seq: 3, epoch: Some(other) }));
    assert_eq!(subscription.verifier().unwrap().violations(), []);
}

#[tokio::test]
async fn a_silent_link_is_lost() {
    let server = Server::start().await;
    let mut options = ConnectOptions::new("t");
    options.timeout = Duration::from_secs(1);
    let mut subscription = subscribe_with(&server, options);
    let script = async {
        // One never welcomes, one welcomes with the shortest heartbeat and then falls silent.
        let unfriendly = server.accept().await;
        let mut silent = server.accept().await;
        silent.send(welcome(0, EPOCH, false, 1)).await;
        let mut peer = server.accept_resumed().await;
        peer.activities([1]).await;
        (unfriendly, silent, peer)
    };
    let client = async {
        expect(&mut subscription, &["closed with 1006", "connected at 0"]).await;
        let Some(Event::Disconnected { code, reason }) = within(subscription.next()).await else {
            panic!("the silence was not noticed");
        };
        assert_eq!((code, reason.as_str()), (CloseCode::LOST, "nothing received for 2s"));
        expect(&mut subscription, &["connected at 0", "activity 1"]).await;
    };
    let (_peers, ()) = tokio::join!(script, client);
}

#[tokio::test]
async fn a_ping_and_a_token_reach_the_open_socket() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    assert!(matches!(subscription.ping().await, Err(Error::NotConnected)));
    let script = async {
        let mut peer = server.accept().await;
        peer.welcome(0, false).await;
        let ping = peer.receive().await.unwrap().into_text().unwrap();
        assert_eq!(ping.as_str(), r#"{"type":"PING"}"#);
        let auth = peer.receive().await.unwrap().into_text().unwrap();
        assert!(auth.contains(r#""token":"fresh""#), "{auth}");
        peer.pong(8).await;
        peer.cut();
        let peer = server.accept_resumed().await;
        assert_eq!(peer.parameter("token"), Some("fresh"));
        peer
    };
    let client = async {
        expect(&mut subscription, &["connected at 0"]).await;
        subscription.ping().await.unwrap();
        subscription.authenticate("fresh").await.unwrap();
        expect(&mut subscription, &["position 8", "closed with 1006", "connected at 8"]).await;
    };
    let (_peer, ()) = tokio::join!(script, client);
}

#[tokio::test]
async fn closing_ends_it() {
    let server = Server::start().await;
    let mut subscription = subscribe(&server);
    let script = async {
        let mut peer = server.accept().await;
        peer.welcome(0, false).await;
        while peer.receive().await.is_some() {}
    };
    let client = async {
        expect(&mut subscription, &["connected at 0"]).await;
        subscription.close().await;
        expect(&mut subscription, &["ended"]).await;
    };
    tokio::join!(script, client);
}

#[tokio::test]
async fn another_node_goes_on_where_one_was_lost() {
    let (first, second) = (Server::start().await, Server::start().await);
    let mut subscription = subscribe(&first).or_at(second.url());
    let script = async {
        let mut peer = first.accept().await;
        peer.welcome(0, false).await;
        peer.activities([1]).await;
        peer.close(1012, "").await;

        let mut peer = second.accept_resumed().await;
        assert_eq!(peer.parameter("after"), Some("1"));
        peer.activities([2]).await;
        peer.cut();

        // And round again.
        let peer = first.accept_resumed().await;
        assert_eq!(peer.parameter("after"), Some("2"));
        peer
    };
    let client = async {
        expect(&mut subscription, &["connected at 0", "activity 1", "closed with 1012"]).await;
        expect(&mut subscription, &["connected at 1", "activity 2", "closed with 1006"]).await;
        expect(&mut subscription, &["connected at 2"]).await;
    };
    let (_peer, ()) = tokio::join!(script, client);
    assert!(subscription.verifier().unwrap().compare(&[1, 2]).unwrap().is_exact());
}
