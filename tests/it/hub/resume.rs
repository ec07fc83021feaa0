//! `?after=` and `?epoch=`.

use roomcast::types::Audience;
use roomcast_client::{Frame, GapReason, Verifier};

use super::{message_to, texts};
use crate::harness::{PASSWORD, TestApp, TestSocket, options};

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_where_the_last_socket_stopped() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    for number in 0..20 {
        app.broadcast(&acme.admin, &number.to_string()).await;
    }
    let head = app.head(&acme.admin).await;
    for person in [&acme.admin, &acme["mia"]] {
        for after in [0, 1, head / 2, head - 1, head] {
            let mut socket = app.resume(person, after).await;
            let welcome = socket.welcome().clone();
            assert_eq!((welcome.seq, welcome.head_seq, welcome.resumed), (after, head, true));
            let delivered = socket.up_to(head).await;
            assert_eq!(texts(&delivered), app.feed_after(person, after).await.texts(), "after {after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_replays_are_whole_while_more_is_written() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let message = |number: usize| message_to(Audience::Everyone, number.to_string());
    app.append_many(&ana, 1500, message).await;
    let mut sockets = vec![app.resume(&ana, 0).await, app.resume(&ana, 700).await, app.connect(&ana).await];
    app.append_many(&ana, 500, message).await;
    sockets.push(app.resume(&ana, 255).await);
    let head = app.head(&ana).await;
    let feed = app.feed(&ana).await;
    for socket in &mut sockets {
        let start = usize::try_from(socket.welcome().seq).unwrap();
        let delivered = socket.up_to(head).await;
        assert_eq!(delivered.len(), feed.0.len() - start);
        assert_eq!(texts(&delivered), feed.texts()[start..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_reconnects_loses_and_doubles_nothing() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let mut verifier = Verifier::recording(acme.id.parse().unwrap());
    let mut position = 0;
    for round in 0..12 {
        let sends = (0..10).map(|number| app.broadcast_text(&acme.admin, format!("{round} {number}")));
        let reading = async {
            let mut socket = app.resume(mia, position).await;
            // Hangs up in the middle of whatever is going on.
            for _ in 0..round % 7 {
                socket.next().await;
            }
            for frame in &socket.frames {
                verifier.observe(frame);
            }
        };
        tokio::join!(futures_util::future::join_all(sends), reading);
        position = verifier.position().unwrap().seq;
    }
    let head = app.head(&acme.admin).await;
    let mut last = app.resume(mia, position).await;
    last.up_to(head).await;
    for frame in &last.frames {
        verifier.observe(frame);
    }
    assert_eq!(verifier.violations(), []);
    assert_eq!(verifier.gaps(), 0);
    let comparison = verifier.compare(&app.feed(mia).await.seqs()).unwrap();
    assert!(comparison.is_exact(), "{comparison:?}");
}

async fn expect_gap(socket: &mut TestSocket, reason: GapReason) {
    let head = socket.welcome().head_seq;
    assert!(!socket.welcome().resumed);
    match socket.next().await {
        (Frame::ResumeGap(gap), _) => {
            assert_eq!(gap.reason, reason);
            assert_eq!(gap.next_seq, head + 1, "reload the feed, go on from here");
        }
        (_, text) => panic!("a RESUME_GAP was expected, not {text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_beyond_the_log_is_a_gap() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&ana).await;
    for after in [head + 1, head + 1000, i64::MAX] {
        let mut socket = app.resume(&ana, after).await;
        expect_gap(&mut socket, GapReason::AheadOfLog).await;
        let sent = app.broadcast(&ana, "next").await;
        if after > sent.seq() {
            assert_eq!(texts(&socket.up_to(sent.seq()).await), [sent.text.as_str()]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_kept_and_another_is_a_gap() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&ana).await;
    let epoch = app.connect(&ana).await.welcome().epoch;
    let mut same = app.connect_with(options(&ana).after(1).epoch(epoch)).await;
    assert!(same.welcome().resumed);
    assert_eq!(same.up_to(head).await.len(), usize::try_from(head - 1).unwrap());
    let mut other = app.connect_with(options(&ana).after(1).epoch(uuid::Uuid::now_v7())).await;
    expect_gap(&mut other, GapReason::EpochChanged).await;
    assert_eq!(other.welcome().epoch, epoch);
    let sent = app.broadcast(&ana, "next").await;
    assert_eq!(texts(&other.up_to(sent.seq()).await), [sent.text.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_outlives_the_server() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let before = app.connect(&ana).await.welcome().clone();
    let sent = app.broadcast(&ana, "before the restart").await;
    let app = app.stop().await.start().await;
    let mut socket = app.connect_with(options(&ana).after(before.seq).epoch(before.epoch)).await;
    assert!(socket.welcome().resumed);
    assert_eq!(socket.welcome().epoch, before.epoch);
    assert_eq!(texts(&socket.up_to(sent.seq()).await), [sent.text.as_str()]);
}
