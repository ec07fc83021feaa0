//! Peers that read slowly, not at all, or are gone.

use std::time::Duration;

use roomcast_client::{CloseCode, Frame};
use tokio::task::JoinSet;

use super::raw;
use crate::harness::{StreamOptions, Streamed, TestApp, eventually, within};
use crate::hub::slow::flood;
use crate::hub::texts;

/// Waits until so many streams and connections are left.
async fn left(app: &TestApp, streams: usize, connections: usize) {
    eventually("the end of the others", async || {
        let left = (app.app.sockets.len(), app.app.hub.sockets(), app.app.tasks.len());
        (left == (streams, streams, connections)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_reading_is_ended_while_the_others_get_everything() {
    let app = TestApp::with(|config| config.hub.slow_socket_seconds = Duration::from_secs(1)).await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let start = app.head(&acme.admin).await;
    let mut quick = app.stream(&acme.admin).await;
    let connections = app.app.tasks.len();
    let (_deaf, _) = raw(&app, &acme["mia"], Some(4096)).await;
    let (mut sips, _) = raw(&app, &acme["mia"], Some(4096)).await;
    let mut sipping = JoinSet::new();
    sipping.spawn(async move {
        while sips.sip().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });

    let reading = async {
        for expected in 1..=1000 {
            assert_eq!(quick.next_activity().await.activity.seq, start + expected);
        }
    };
    let (head, ()) = tokio::join!(flood(&app, &acme.admin, 1000), reading);
    // Their connections end with them, although there is something that they did not take.
    left(&app, 1, connections).await;
    sipping.shutdown().await;

    // Nothing is lost to them.
    let mut again = app.resume_stream(&acme["mia"], start).await;
    assert_eq!(texts(&again.up_to(head).await), app.feed_after(&acme["mia"], start).await.texts());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_too_slow_and_reads_again_finds_out_why() {
    let app = TestApp::with(|config| {
        config.hub.slow_socket_seconds = Duration::from_secs(1);
        config.limits.max_sockets_per_user = 1;
    })
    .await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let options = StreamOptions::new(&acme["mia"].access_token);
    let mut stream = app.stream_with(&options).await;
    flood(&app, &acme.admin, 1000).await;
    // What is being closed takes nobody's place.
    eventually("its close", async || app.take_place(&options).await).await;
    let mut last = stream.position();
    loop {
        match within("an event", stream.receive()).await {
            Streamed::Frame { frame: Frame::Activity(activity), .. } => {
                assert_eq!(activity.seq, last + 1, "whatever comes is whole and in order");
                last = activity.seq;
            }
            Streamed::Closed(code) => {
                assert_eq!(code, CloseCode::TOO_SLOW);
                break;
            }
            Streamed::Frame { .. } | Streamed::Comment => {}
            // It took too long to take the close.
            Streamed::Ended(_) => break,
        }
    }
    // Nothing is lost to it.
    let again =
        eventually("a place", async || app.take_place(&options.clone().last_event_id(last)).await).await;
    assert!(again.welcome().resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_but_reads_is_kept() {
    let app = TestApp::with(|config| {
        config.hub.slow_socket_seconds = Duration::from_secs(1);
        // That is for answers that end.
        config.server.timeouts.write_stall = Duration::from_millis(5);
    })
    .await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut stream = app.stream(&acme["mia"]).await;
    let start = stream.position();
    let reading = async {
        for number in 1..=1000 {
            assert_eq!(stream.next_activity().await.activity.seq, start + number);
            // Some 160 KiB in ten milliseconds: far behind, and far above 16 KiB a second.
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    tokio::join!(flood(&app, &acme.admin, 1000), reading);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_is_gone_whether_or_not_something_is_sent() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mut kept = app.stream(&acme.admin).await;
    let connections = app.app.tasks.len();
    let (idle, _) = raw(&app, &acme["mia"], None).await;
    let (busy, _) = raw(&app, &acme["mia"], Some(4096)).await;
    assert_eq!(app.app.hub.sockets(), 3);
    drop(idle);
    left(&app, 2, connections + 1).await;
    let head = flood(&app, &acme.admin, 500).await;
    drop(busy);
    left(&app, 1, connections).await;
    assert_eq!(kept.up_to(head).await.len(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_while_not_reading_is_ended_like_any_other() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let (_deaf, _) = raw(&app, &acme["mia"], Some(4096)).await;
    flood(&app, &acme.admin, 1000).await;
    assert_eq!(app.app.hub.sockets(), 1);
    // Long before SLOW_SOCKET_SECONDS, which is 30.
    app.remove(&acme.admin, &acme["mia"]).await;
    eventually("the end of the removed one", async || (app.app.hub.sockets() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_who_does_not_read() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let (_deaf, _) = raw(&app, &acme.admin, Some(4096)).await;
    flood(&app, &acme.admin, 1000).await;
    // Fails unless the stop ends within its bound and leaves no task.
    app.stop().await;
}
