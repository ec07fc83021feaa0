//! `roomcast config check`, and where settings come from.

use super::{environment, fail, run, succeed};
use crate::harness::environment::on_postgres;
use crate::harness::{Child, TestDatabase};

const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// What the table says of a setting: its value and where it comes from.
fn line<'a>(output: &'a str, variable: &str) -> Vec<&'a str> {
    let line = output.lines().find(|line| line.split_whitespace().next() == Some(variable));
    line.unwrap_or_else(|| panic!("{variable} in:\n{output}")).split_whitespace().skip(1).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_shown_with_where_it_comes_from() {
    let dotenv = format!("PORT=4000\nHOST=127.0.0.2\nJWT_ACCESS_SECRET={KEY}\nLOG_FORMAT=\n");
    let environment = [
        ("PORT", "5000"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1"),
        ("DATABASE_URL", "postgres://u:hunter22@localhost/hub"),
        ("METRICS_TOKEN", KEY),
    ];
    let arguments = ["config", "check", "--drain-seconds", "5"];
    let (status, output) = Child::start_with(&arguments, &environment, "", Some(&dotenv)).ended().await;
    assert!(status.success(), "{output}");
    assert_eq!(line(&output, "PORT"), ["5000", "environment"]);
    assert_eq!(line(&output, "HOST"), ["127.0.0.2", ".env"]);
    assert_eq!(line(&output, "DRAIN_SECONDS"), ["5", "flag"]);
    assert_eq!(line(&output, "LOG_FORMAT"), ["text", "default"]);
    assert_eq!(line(&output, "TRUSTED_PROXIES"), ["10.0.0.0/8,127.0.0.1", "environment"]);
    assert_eq!(line(&output, "DATABASE_URL"), ["postgres://…@localhost/hub", "environment"]);
    assert_eq!(line(&output, "JWT_ACCESS_SECRET"), ["(64", "bytes)", ".env"]);
    assert_eq!(line(&output, "TLS_CERT"), ["(unset)"]);
    assert!(!output.contains(KEY) && !output.contains("hunter22"), "{output}");
    assert!(output.contains("the settings are fine"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_to_nothing_is_unset() {
    let all = [
        "HOST",
        "PORT",
        "DRAIN_SECONDS",
        "TLS_CERT",
        "TLS_KEY",
        "CORS_ORIGINS",
        "TRUSTED_PROXIES",
        "ROOMCAST_DATA_DIR",
        "DATABASE_URL",
        "DATABASE_MAX_CONNECTIONS",
        "RUN_MIGRATIONS",
        "REDIS_URL",
        "ACTIVITY_RETENTION_DAYS",
        "JWT_ACCESS_SECRET",
        "JWT_ACCESS_SECRET_PREVIOUS",
        "JWT_ACCESS_EXPIRES_IN",
        "REGISTRATION",
        "MAX_BODY_BYTES",
        "METRICS_TOKEN",
        "RUST_LOG",
    ];
    let empty: Vec<(&str, &str)> = all.iter().map(|name| (*name, "")).collect();
    let output = succeed(&["config", "check"], &empty).await;
    assert_eq!(line(&output, "HOST"), ["127.0.0.1", "default"]);
    assert_eq!(line(&output, "TRUSTED_PROXIES"), ["(unset)"]);
    assert_eq!(line(&output, "JWT_ACCESS_SECRET"), ["(unset)"]);
    // What is empty in the environment gives way to `.env`.
    let dotenv =
        format!("HOST=127.0.0.3\nTRUSTED_PROXIES=10.1.0.0/16,10.2.0.0/16\nMETRICS_TOKEN={KEY}\nPORT=\n");
    let (status, output) = Child::start_with(&["config", "check"], &empty, "", Some(&dotenv)).ended().await;
    assert!(status.success(), "{output}");
    assert_eq!(line(&output, "HOST"), ["127.0.0.3", ".env"]);
    assert_eq!(line(&output, "PORT"), ["3000", "default"]);
    assert_eq!(line(&output, "TRUSTED_PROXIES"), ["10.1.0.0/16,10.2.0.0/16", ".env"]);
    assert_eq!(line(&output, "METRICS_TOKEN"), ["(64", "bytes)", ".env"]);
    let (_, help) = Child::start_with(&["--help"], &empty, "", Some(&dotenv)).ended().await;
    assert!(help.contains("Usage") && !help.contains(KEY), "{help}");
    let (status, _) = Child::start_with(&["openapi"], &empty, "", Some(&dotenv)).ended().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_fails_and_a_risk_does_not() {
    fail(&["config", "check"], &[("TLS_CERT", "hub.pem")], &["TLS_CERT is set without TLS_KEY"]).await;
    fail(&["config", "check"], &[("REDIS_URL", "redis://x")], &["HOST", "default", "REDIS_URL"]).await;
    let output = succeed(&["config", "check"], &[("HOST", "0.0.0.0"), ("RATE_LIMIT_PER_MINUTE", "0")]).await;
    for risky in ["HOST=0.0.0.0", "METRICS_TOKEN", "REGISTRATION", "RATE_LIMIT_PER_MINUTE"] {
        let found = output.lines().any(|line| line.starts_with("risky: ") && line.contains(risky));
        assert!(found, "{risky}: {output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_reached_where_that_is_asked_for() {
    let database = TestDatabase::create().await;
    let url = database.url_text();
    let output = succeed(&["config", "check", "--database"], &environment(&url)).await;
    assert!(output.contains("is reached; it is up to date"), "{output}");
    if on_postgres() {
        let mut many = environment(&url);
        many.push(("DATABASE_MAX_CONNECTIONS", "1000"));
        let output = succeed(&["config", "check", "--database"], &many).await;
        assert!(output.contains("risky: DATABASE_MAX_CONNECTIONS=1000"), "{output}");
    }
    let nobody = "postgres://u:hunter22@127.0.0.1:1/x";
    let (status, output) = run(&["config", "check", "--database"], &environment(nobody)).await;
    assert!(!status.success() && output.contains("127.0.0.1:1"), "{output}");
    assert!(!output.contains("hunter22"), "{output}");
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("new");
    let output =
        succeed(&["config", "check", "--database"], &[("ROOMCAST_DATA_DIR", folder.to_str().unwrap())]).await;
    assert!(output.contains("there is no database") && !folder.exists(), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_be_read_is_numbered_and_not_repeated() {
    let dotenv = "PORT=4000\nJWT_ACCESS_SECRET=correct horse battery staple\n";
    let (status, output) = Child::start_with(&["config", "check"], &[], "", Some(dotenv)).ended().await;
    assert!(!status.success(), "{output}");
    assert!(output.contains("cannot read .env: line 2 "), "{output}");
    for word in ["correct", "horse", "battery", "staple"] {
        assert!(!output.contains(word), "{output}");
    }
}
