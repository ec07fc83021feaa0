//! A server that goes away.

use roomcast_client::{CloseCode, Received};

use super::texts;
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn closes_every_socket_with_come_back_at_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let mut sockets = Vec::new();
    for person in [&acme.admin, &acme["mia"], &bolt.admin] {
        sockets.push(app.connect(person).await);
    }
    let last = app.broadcast(&acme.admin, "last words").await;
    let reading = async {
        let mut seen = Vec::new();
        for socket in &mut sockets {
            loop {
                match socket.receive().await {
                    Received::Frame { text, .. } => seen.push(text),
                    Received::Closed { code, reason } => {
                        assert!(
                            [CloseCode::GOING_AWAY, CloseCode::RESTART].contains(&code),
                            "{code} {reason}"
                        );
                        break;
                    }
                }
            }
        }
        seen
    };
    let (ground, seen) = tokio::join!(app.stop(), reading);
    let told = seen.iter().filter(|text| **text == last.text).count();

    // Nothing is lost over a restart, whether the close or the message was quicker.
    let app = ground.start().await;
    let mut again = app.resume(&acme["mia"], last.seq() - 1).await;
    assert_eq!(texts(&again.up_to(last.seq()).await), [last.text.as_str()]);
    assert!(told <= 2, "once for each of Acme's");
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_also_where_peers_do_not_answer_its_close() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    // Open, and nobody looks at them.
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(app.connect(&ana).await);
    }
    app.stop().await;
    for mut socket in sockets {
        let mut end = socket.receive().await;
        while let Received::Frame { .. } = end {
            end = socket.receive().await;
        }
        let Received::Closed { code, .. } = end else { unreachable!("the loop ends with the close") };
        assert!([CloseCode::GOING_AWAY, CloseCode::RESTART].contains(&code), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finishes_what_was_asked_before() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = app.head(&ana).await;
    let caller = app.as_user(&ana);
    let sends: Vec<_> = (0..20)
        .map(|number| {
            let body = serde_json::json!({ "message": number.to_string() });
            let call = caller.post("/organisations/broadcast").json(&body).into_sent();
            #[expect(clippy::disallowed_methods, reason = "joined below")]
            tokio::spawn(call)
        })
        .collect();
    let ground = app.stop().await;
    let mut answered = 0;
    for send in sends {
        // A call that came too late found nobody listening; one that was taken is answered.
        if let Some(answer) = send.await.unwrap() {
            assert!([201, 503].contains(&answer.status), "{}", answer.text);
            answered += usize::from(answer.status == 201);
        }
    }
    let app = ground.start().await;
    let feed = app.feed_after(&ana, head).await;
    assert!(feed.0.len() >= answered, "what was answered is stored");
    assert_eq!(feed.seqs(), (head + 1..).take(feed.0.len()).collect::<Vec<_>>());
}
