//! `Last-Event-ID`, `?after=` and `?epoch=`.

use std::time::Duration;

use futures_util::future::join_all;
use roomcast::types::Audience;
use roomcast::upkeep;
use roomcast_client::{Frame, GapReason, Verifier};

use crate::harness::{PASSWORD, StreamOptions, TestApp, TestStream, eventually};
use crate::hub::{message_to, texts};

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_where_the_last_one_stopped_and_last_event_id_wins() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    for number in 0..20 {
        app.broadcast(&acme.admin, &number.to_string()).await;
    }
    let head = app.head(&acme.admin).await;
    for person in [&acme.admin, &acme["mia"]] {
        let options = || StreamOptions::new(&person.access_token);
        for after in [0, 1, head / 2, head - 1, head] {
            for options in [
                options().after(after),
                options().last_event_id(after),
                options().after(head / 3).last_event_id(after),
                options().after(after).last_event_id(""),
            ] {
                let mut stream = app.stream_with(&options).await;
                let welcome = stream.welcome().clone();
                assert_eq!((welcome.seq, welcome.head_seq, welcome.resumed), (after, head, true));
                assert_eq!(stream.position(), after);
                let delivered = stream.up_to(head).await;
                assert_eq!(texts(&delivered), app.feed_after(person, after).await.texts(), "after {after}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_replays_are_whole_while_more_is_written() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let message =
        |number: usize| message_to(Audience::Everyone, format!("{number}{}", "x".repeat(number * 3)));
    app.append_many(&ana, 900, message).await;
    let mut streams =
        vec![app.resume_stream(&ana, 0).await, app.resume_stream(&ana, 700).await, app.stream(&ana).await];
    app.append_many(&ana, 300, message).await;
    streams.push(app.resume_stream(&ana, 255).await);
    let head = app.head(&ana).await;
    let feed = app.feed(&ana).await;
    for stream in &mut streams {
        let start = usize::try_from(stream.welcome().seq).unwrap();
        assert_eq!(texts(&stream.up_to(head).await), feed.texts()[start..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_reconnects_loses_and_doubles_nothing() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let mut verifier = Verifier::recording(acme.id.parse().unwrap());
    let mut last_id = "0".to_owned();
    for round in 0..12 {
        let sends = (0..10).map(|number| app.broadcast_text(&acme.admin, format!("{round} {number}")));
        let reading = async {
            // As a browser does it: with what the last stream's last event had.
            let options = StreamOptions::new(&mia.access_token).last_event_id(&last_id);
            let mut stream = app.stream_with(&options).await;
            verifier.observe(&Frame::Welcome(stream.welcome().clone()));
            // Hangs up in the middle of whatever is going on.
            for _ in 0..round % 7 {
                let (frame, _) = stream.next().await;
                verifier.observe(&frame);
            }
            stream.last_id().clone_into(&mut last_id);
        };
        tokio::join!(join_all(sends), reading);
        assert_eq!(last_id, verifier.position().unwrap().seq.to_string());
    }
    let head = app.head(&acme.admin).await;
    let mut last = app.stream_with(&StreamOptions::new(&mia.access_token).last_event_id(&last_id)).await;
    verifier.observe(&Frame::Welcome(last.welcome().clone()));
    for one in last.up_to(head).await {
        verifier.observe(&Frame::Activity(one.activity));
    }
    assert_eq!(verifier.violations(), []);
    assert_eq!(verifier.gaps(), 0);
    let comparison = verifier.compare(&app.feed(mia).await.seqs()).unwrap();
    assert!(comparison.is_exact(), "{comparison:?}");
}

/// Takes the `RESUME_GAP` that follows the WELCOME: from where the stream goes on.
async fn expect_gap(stream: &mut TestStream, reason: GapReason) -> i64 {
    assert!(!stream.welcome().resumed);
    match stream.next().await {
        (Frame::ResumeGap(gap), _) => {
            assert_eq!(gap.reason, reason);
            assert_eq!(stream.position(), gap.next_seq - 1, "a browser comes back with what it has");
            gap.next_seq
        }
        (_, text) => panic!("a RESUME_GAP was expected, not {text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_continued_is_told_and_a_browser_goes_on_from_there() {
    let app = TestApp::with(|config| config.database.activity_retention_days = 30).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&ana).await;
    let options = || StreamOptions::new(&ana.access_token);

    let mut ahead = app.stream_with(&options().last_event_id(i64::MAX)).await;
    assert_eq!(expect_gap(&mut ahead, GapReason::AheadOfLog).await, head + 1);
    let epoch = ahead.welcome().epoch;
    let same = app.stream_with(&options().last_event_id(1).parameter("epoch", epoch)).await;
    assert!(same.welcome().resumed);
    let mut other =
        app.stream_with(&options().last_event_id(1).parameter("epoch", uuid::Uuid::now_v7())).await;
    assert_eq!(expect_gap(&mut other, GapReason::EpochChanged).await, head + 1);
    let sent = app.broadcast(&ana, "next").await;
    for stream in [&mut ahead, &mut other] {
        assert_eq!(texts(&stream.up_to(sent.seq()).await), [sent.text.as_str()]);
    }

    app.advance(Duration::from_hours(24) * 31);
    let ana = app.sign_in(&ana).await;
    upkeep::run(&app.app).await.unwrap();
    let mut expired = eventually("that the room knows", async || {
        let stream = app.resume_stream(&ana, 1).await;
        (!stream.welcome().resumed).then_some(stream)
    })
    .await;
    let next = expect_gap(&mut expired, GapReason::Expired).await;
    assert!(next > sent.seq(), "{next}");
    let head = app.head(&ana).await;
    let kept = app.feed(&ana).await;
    assert_eq!(texts(&expired.up_to(head).await), kept.texts());
    assert_eq!(kept.seqs().first(), Some(&next));
    let again = app.resume_stream(&ana, next - 1).await;
    assert!(again.welcome().resumed);
}
