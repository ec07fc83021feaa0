//! A handshake, a request and a removal at the same moment: once the removal is answered, nothing of the
//! removed gets through, however the three interleave.

use roomcast_client::{CloseCode, Received, Socket};

use crate::harness::{TestApp, TestSocket, options, within};

const ROUNDS: usize = 20;

/// Takes frames to the end, which must come, and must be that the user was removed.
async fn expect_removed(mut socket: Socket) {
    loop {
        match within("the close", socket.recv()).await.unwrap() {
            Received::Frame { .. } => {}
            Received::Closed { code, reason } => {
                // A handshake that began after the end finds a session that has ended.
                assert!([CloseCode::REMOVED, CloseCode::UNAUTHENTICATED].contains(&code), "{code} {reason}");
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_removal_nothing_gets_through() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").on_plan("ENTERPRISE").create().await;
    // A room is open in half of the rounds: the node knows of removals by another way without one.
    let mut watcher: Option<TestSocket> = None;
    for round in 0..ROUNDS {
        if round == ROUNDS / 2 {
            watcher = Some(app.connect(&acme.admin).await);
        }
        let mia = app.add(&acme.admin, "mia", "MEMBER").await;
        let options = options(&mia);
        let stagger = std::time::Duration::from_micros(300 * (round as u64 % 10));
        let removal = async {
            tokio::time::sleep(stagger).await;
            app.remove(&acme.admin, &mia).await;
            // From here on, nothing succeeds.
            let (me, feed) =
                tokio::join!(app.as_user(&mia).get("/auth/me"), app.as_user(&mia).get("/activities"),);
            me.expect_problem(401, "session_ended");
            feed.expect_problem(401, "session_ended");
            let mut late = app.open(options.clone()).await;
            late.expect_removed().await;
        };
        let request = async {
            for _ in 0..4 {
                let answer = app.as_user(&mia).get("/auth/me").await;
                assert!([200, 401].contains(&answer.status), "{}", answer.text);
            }
        };
        let handshake = Socket::connect(&app.base, &options);
        let ((), (), socket) = tokio::join!(removal, request, handshake);
        expect_removed(socket.unwrap()).await;
    }
    assert!(watcher.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_nothing_gets_through() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    for round in 0..ROUNDS {
        let session = app.sign_in(&acme.admin).await;
        let options = options(&session);
        let stagger = std::time::Duration::from_micros(300 * (round as u64 % 10));
        let logout = async {
            tokio::time::sleep(stagger).await;
            app.as_user(&session).post("/auth/logout").await.expect_status(204);
            app.as_user(&session).get("/auth/me").await.expect_problem(401, "session_ended");
        };
        let ((), socket) = tokio::join!(logout, Socket::connect(&app.base, &options));
        let mut socket = socket.unwrap();
        loop {
            match within("the close", socket.recv()).await.unwrap() {
                Received::Frame { .. } => {}
                Received::Closed { code, reason } => {
                    assert_eq!(code, CloseCode::UNAUTHENTICATED, "{reason}");
                    break;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demotion_and_what_only_admins_may_do_at_once() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_admin("bo").create().await;
    for _ in 0..ROUNDS {
        let mut bos = app.connect(&acme["bo"]).await;
        let start = bos.welcome().seq;
        let demotion = app.change_role(&acme.admin, &acme["bo"], "MEMBER");
        let sends = async {
            for _ in 0..3 {
                let answer = app.as_user(&acme["bo"]).get("/users").await;
                assert!([200, 403].contains(&answer.status), "{}", answer.text);
            }
        };
        let (user, ()) = tokio::join!(demotion, sends);
        assert_eq!(user["role"], "MEMBER");
        app.as_user(&acme["bo"]).get("/users").await.expect_problem(403, "role_forbidden");
        let invite = app.invite(&acme.admin, &format!("guest{start}@example.com"), "MEMBER").await;
        let marker = app.broadcast(&acme.admin, "marker").await;
        bos.expect_only(marker.seq(), &["USER_ROLE_CHANGED", "BROADCAST_MESSAGE"]).await;
        let path = format!("/users/invites/{}", invite["id"].as_str().unwrap());
        app.as_user(&acme.admin).delete(path).await.expect_status(204);
        app.change_role(&acme.admin, &acme["bo"], "ADMIN").await;
    }
}
