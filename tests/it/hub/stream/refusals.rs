//! Who gets no stream, and with which answer.

use std::time::Duration;

use reqwest::Method;

use super::ask_here;
use crate::harness::raw::RawSocket;
use crate::harness::{PASSWORD, StreamOptions, TestApp, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn who_brings_no_good_token_is_told_so() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let mia = &acme["mia"];
    let phone = app.sign_in(mia).await;
    for token in ["", "garbage", &mia.refresh_token] {
        for options in [StreamOptions::new(token), StreamOptions::new(token).token_in_query()] {
            app.ask_stream(&options).await.expect_problem(401, "token_invalid");
        }
    }
    app.anonymous().get("/stream").await.expect_problem(401, "token_invalid");
    // Who may not enter learns nothing of what else is wrong.
    app.anonymous().get("/stream?after=x").await.expect_problem(401, "token_invalid");
    // A header says who is asking, whatever a link says.
    let path = format!("/stream?token={}", mia.access_token);
    app.with_token("garbage").get(&path).await.expect_problem(401, "token_invalid");

    app.as_user(&phone).post("/auth/logout").await.expect_status(204);
    app.ask_stream(&StreamOptions::new(&phone.access_token)).await.expect_problem(401, "session_ended");
    app.remove(&acme.admin, mia).await;
    app.ask_stream(&StreamOptions::new(&mia.access_token)).await.expect_problem(401, "session_ended");
    app.advance(Duration::from_hours(1));
    app.ask_stream(&StreamOptions::new(&acme.admin.access_token)).await.expect_problem(401, "token_invalid");
    assert_eq!(app.app.hub.sockets(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_to_start_has_to_be_a_position() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let options = || StreamOptions::new(&ana.access_token).token_in_query();
    for bad in ["-1", "+1", "x", "1.0", "9223372036854775808"] {
        app.ask_stream(&options().parameter("after", bad)).await.expect_invalid(&["after"]);
        let both = options().parameter("after", 1).last_event_id(bad);
        app.ask_stream(&both).await.expect_invalid(&["Last-Event-ID"]);
    }
    let all =
        options().parameter("after", "x").parameter("epoch", "y").parameter("befor", 1).last_event_id("z");
    app.ask_stream(&all).await.expect_invalid(&["after", "epoch", "befor", "Last-Event-ID"]);
    app.ask_stream(&options().after(1).after(2)).await.expect_invalid(&["after"]);
    app.ask_stream(&options().parameter("token", "x")).await.expect_invalid(&["token"]);
    let call = app.as_user(&ana).get("/stream").header_bytes("last-event-id", b"\xff");
    call.await.expect_invalid(&["Last-Event-ID"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_get_opens_one_and_head_says_what_it_would_be() {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        app.as_user(&ana).api(method, "/stream").await.expect_problem(405, "method_not_allowed");
    }
    let head = app.as_user(&ana).api(Method::HEAD, "/stream").await.expect_status(200);
    assert_eq!((head.header("content-type"), head.text.as_str()), (Some("text/event-stream"), ""));
    app.with_token("garbage").api(Method::HEAD, "/stream").await.expect_status(401);
    assert_eq!(app.app.hub.sockets(), 0);
    // Also under the shorter path, and in HTTP/1.0, where it ends with its connection.
    let mut raw = RawSocket::connect(&app.base, None).await;
    let head = ask_here(&mut raw, "GET", "1.0", &ana.access_token).await.to_lowercase();
    assert!(head.starts_with("http/1.0 200 ") && !head.contains("transfer-encoding"), "{head}");
    let short = app.as_user(&ana).at(Method::GET, "/api/stream?after=x").await;
    short.expect_invalid(&["after"]);
    // A stop leaves out what a stream has not begun to write.
    raw.until("WELCOME").await;
    let (rest, _ground) = tokio::join!(raw.rest(), app.stop());
    let events: Vec<&str> = rest.split("\n\n").collect();
    assert!(events[0].starts_with("retry: "), "{rest}");
    assert!(events[1].contains("\"WELCOME\""), "{rest}");
    assert_eq!(events[2..], ["event: CLOSE\ndata: {\"code\":1012,\"reason\":\"restart\"}", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_of_them_than_sockets_may_be() {
    let app = TestApp::with(|config| {
        config.limits.max_sockets_per_user = 2;
        config.limits.max_sockets_per_organisation = 3;
    })
    .await;
    let acme = app.organisation("Acme").with_member("mia").create().await;
    let bolt = app.organisation("Bolt").create().await;
    let mia = StreamOptions::new(&acme["mia"].access_token);
    let admin = StreamOptions::new(&acme.admin.access_token);
    let socket = app.connect(&acme["mia"]).await;
    let stream = app.stream_with(&mia).await;
    let refused = app.ask_stream(&mia).await;
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(refused.header("ratelimit-limit"), Some("2"));
    let problem = refused.expect_problem(429, "rate_limited");
    assert_eq!(problem["detail"], "You have too many sockets open.");
    let others = app.stream_with(&admin).await;
    let refused = app.ask_stream(&admin).await.expect_problem(429, "rate_limited");
    assert_eq!(refused["detail"], "Your organisation has too many sockets open.");
    app.stream(&bolt.admin).await;

    // A place that is given up is free, whichever way it was taken.
    socket.close().await;
    let again = eventually("a free place", async || {
        let answered = app.anonymous().at(Method::GET, "/healthz").await;
        assert_eq!(answered.status, 200);
        (app.app.hub.sockets() == 2).then_some(())
    });
    again.await;
    let again = app.stream_with(&mia).await;
    drop((stream, others, again));
    eventually("the end of all", async || (app.app.hub.sockets() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_an_address_is_refused_as_handshakes_are() {
    let app = TestApp::with(|config| config.limits.handshakes_per_minute = 3).await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let options = StreamOptions::new(&ana.access_token);
    app.connect(&ana).await;
    app.stream_with(&options).await;
    app.ask_stream(&StreamOptions::new("garbage")).await.expect_problem(401, "token_invalid");
    let refused = app.ask_stream(&options).await;
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    refused.expect_problem(429, "rate_limited");
    // Requests are not concerned, nor does a stream count as one.
    app.as_user(&ana).get("/auth/me").await.expect_status(200);
    app.advance(Duration::from_mins(1));
    app.stream_with(&options).await;
}
