//! Hubs that run already.

use super::{load, refused};
use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_signs_in_with_a_password_from_the_environment() {
    let app = TestApp::with(|config| config.limits.rate_limit_per_minute = 100).await;
    let acme = app.organisation("Acme").with_member("ana").create().await;
    let run = ["room", "--url", &app.base, "--sockets", "3", "--rate", "20", "--duration", "1s", "--email"];
    let password = [("ROOMCAST_LOAD_PASSWORD", acme.admin.password.as_str())];
    let ran = load(&[&run[..], &[&acme.admin.email]].concat(), &password).await.expect_passed();
    assert_eq!(ran.count("/verdict/received"), 20 * 3);
    assert_eq!(ran.report["server"]["limits"], "100 requests a minute of one caller, as the hub tells");
    assert!(ran.report["figures"]["kib/socket"].is_null(), "whose process it is, nobody said");

    let member =
        load(&[&run[..], &[&acme["ana"].email]].concat(), &[("ROOMCAST_LOAD_PASSWORD", PASSWORD)]).await;
    member.expect_failed(&["is no admin there"]);
    let wrong =
        load(&[&run[..], &[&acme.admin.email]].concat(), &[("ROOMCAST_LOAD_PASSWORD", "wrong password")])
            .await;
    wrong.expect_failed(&["signing in as", "401"]);
    let none = load(&[&run[..], &[&acme.admin.email]].concat(), &[]).await;
    none.expect_failed(&["ROOMCAST_LOAD_PASSWORD"]);
}

/// Who only reads need not be an admin, and may ask for some of the log: there may be holes then.
#[tokio::test(flavor = "multi_thread")]
async fn members_read_the_feed() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").with_member("ana").create().await;
    let (run, password) = (["feed", "--url", &app.base, "--duration", "1s", "--email"], PASSWORD);
    let member = [&run[..], &[&acme["ana"].email, "--history", "0"]].concat();
    let ran = load(&member, &[("ROOMCAST_LOAD_PASSWORD", password)]).await.expect_passed();
    assert!(ran.figure("feed.p99") > 0.0);
    let password = [("ROOMCAST_LOAD_PASSWORD", acme.admin.password.as_str())];
    let some = [&run[..], &[&acme.admin.email, "--history", "5", "--feed-query", "type=BROADCAST_MESSAGE"]];
    assert!(load(&some.concat(), &password).await.expect_passed().figure("read/s") > 0.0);
    let wrong = [&run[..], &[&acme.admin.email, "--feed-query", "kind=X"]].concat();
    assert!(load(&wrong, &password).await.count("/trouble/refusedRequests/422") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_admins_stand_in_a_file() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.organisation("Acme").create().await, app.organisation("Globex").create().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("admins.json");
    let admins = [&acme, &globex].map(|organisation| {
        let (admin, id) = (&organisation.admin, &organisation.id);
        serde_json::json!({ "email": admin.email, "password": admin.password, "organisation": id })
    });
    std::fs::write(&file, serde_json::to_string(&admins).unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let pid = std::process::id().to_string();
    let arguments = [
        "rooms",
        "--url",
        &app.base,
        "--credentials",
        file,
        "--sockets",
        "6",
        "--rate",
        "30",
        "--duration",
        "1s",
    ];
    let ran = load(&[&arguments[..], &["--pid", &pid]].concat(), &[]).await.expect_passed();
    assert_eq!((ran.count("/run/rooms"), ran.count("/verdict/received")), (2, 30 * 3));
    assert!(ran.figure("kib/socket") >= 0.0, "its process is measured");

    std::fs::write(file, r#"[{"email": "a@example.com", "secret": "hunter22"}]"#).unwrap();
    refused(&arguments, &["is no list of email, password and organisation: line 1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn self_serve_founds_an_organisation_for_each_room() {
    let app = TestApp::start().await;
    let arguments =
        ["rooms", "--url", &app.base, "--self-serve", "--rooms", "3", "--sockets", "6", "--duration", "1s"];
    let ran = load(&arguments, &[]).await.expect_passed();
    assert_eq!(ran.count("/run/rooms"), 3);
    assert!(!ran.report["server"]["isSpawned"].as_bool().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_limited_is_told_and_the_run_goes_on() {
    // The sockets of one user are bounded: the rest is refused, and the run cannot begin.
    let app = TestApp::with(|config| config.limits.max_sockets_per_user = 4).await;
    let arguments = ["idle", "--url", &app.base, "--self-serve", "--sockets", "6", "--patience", "1s"];
    load(&arguments, &[]).await.expect_failed(&["4 of 6 sockets are open", "4429"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_outlives_its_tokens_is_refused() {
    let app = TestApp::start().await;
    let arguments = ["idle", "--url", &app.base, "--self-serve", "--sockets", "1", "--duration", "1h"];
    load(&arguments, &[]).await.expect_failed(&["JWT_ACCESS_EXPIRES_IN"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_hub_is_said() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    refused(&["idle", "--url", &url, "--self-serve"], &["nobody answers at"]).await;
}
