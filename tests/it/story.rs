//! The tour of the README, end to end: register, invite, accept, connect, upgrade, broadcast, remove. Each
//! arrives live once as one frame, stands in the feed with the same bytes, and comes again on a resume.

use roomcast_client::{CloseCode, Verifier};
use serde_json::json;

use crate::harness::{Delivered, PASSWORD, TestApp, TestSocket};

fn verify(socket: &TestSocket, organisation: &str, expected: &[i64]) {
    let mut verifier = Verifier::recording(organisation.parse().unwrap());
    for frame in &socket.frames {
        verifier.observe(frame);
    }
    assert_eq!(verifier.violations(), []);
    assert_eq!(verifier.gaps(), 0);
    let comparison = verifier.compare(expected).unwrap();
    assert!(comparison.is_exact(), "{comparison:?}");
}

fn texts(delivered: &[Delivered]) -> Vec<&str> {
    delivered.iter().map(|one| one.text.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_arrives_live_stands_in_the_feed_and_comes_again_on_a_resume() {
    let app = TestApp::start().await;
    let ada = app.register("Acme", "Ada", "ada@example.com", PASSWORD).await;
    let mut adas = app.connect(&ada).await;
    assert_eq!(adas.welcome().seq, 3);

    // Invite and accept.
    let invite = app.invite(&ada, "mia@example.com", "MEMBER").await;
    let invited = adas.expect_activity("USER_INVITED").await.item();
    invited.expect_actor(&ada).expect_target(invite["id"].as_str().unwrap(), "mia@example.com");
    let mia = app.accept(&invite, "Mia", PASSWORD).await;
    let joined = adas.expect_activity("USER_JOINED").await.item();
    joined.expect_payload(&json!({
        "userId": mia.id, "name": "Mia", "email": "mia@example.com", "role": "MEMBER",
    }));
    adas.expect_activity("SESSION_STARTED").await;
    let mut mias = app.connect(&mia).await;
    let mia_starts_at = mias.welcome().seq;

    // Upgrade and broadcast.
    app.change_plan(&ada, "PRO").await;
    for socket in [&mut adas, &mut mias] {
        let upgraded = socket.expect_activity("PLAN_UPGRADED").await.item();
        assert_eq!(upgraded.payload()["from"], "FREE");
        assert_eq!(upgraded.payload()["to"], "PRO");
    }
    let answered = app.broadcast(&ada, "Good morning").await;
    for socket in [&mut adas, &mut mias] {
        assert_eq!(socket.expect_activity("BROADCAST_MESSAGE").await.text, answered.text);
    }
    assert_eq!(answered.payload()["message"], "Good morning");
    assert_eq!(answered.payload()["sentBy"], ada.id);
    answered.expect_actor(&ada);
    let mia_feed = app.feed(&mia).await;

    // Remove.
    app.remove(&ada, &mia).await;
    let removed = adas.expect_activity("USER_REMOVED").await.item();
    removed.expect_actor(&ada).expect_target(&mia.id, "Mia");
    removed.expect_payload(&json!({ "userId": mia.id, "removedBy": ada.id }));
    let owed = mias.expect_close(CloseCode::REMOVED).await;
    assert_eq!(texts(&owed), [""; 0], "the removed are owed nothing more");
    app.as_user(&mia).get("/auth/me").await.expect_problem(401, "session_ended");

    // Live, feed and resume are the same, byte for byte.
    let feed = app.feed(&ada).await;
    let live: Vec<String> = feed.texts().into_iter().map(str::to_owned).collect();
    assert_eq!(feed.seqs(), (1..=app.head(&ada).await).collect::<Vec<_>>(), "an admin sees no holes here");
    verify(&adas, &ada.organisation_id, &feed.seqs());
    verify(
        &mias,
        &ada.organisation_id,
        &mia_feed.seqs().into_iter().filter(|seq| *seq > mia_starts_at).collect::<Vec<_>>(),
    );
    for after in [0, 3, adas.welcome().seq + 2] {
        let mut again = app.resume(&ada, after).await;
        assert!(again.welcome().resumed);
        let delivered = again.up_to(*feed.seqs().last().unwrap()).await;
        assert_eq!(texts(&delivered), live[usize::try_from(after).unwrap()..]);
        verify(&again, &ada.organisation_id, &feed.seqs());
    }
}
