//! What the tests may use besides SQLite, as the environment says; what is absent is said, not passed over.

use std::io::Write as _;

use clap::ValueEnum as _;
use roomcast::types::Isolation;
use tokio_postgres::{Client, NoTls};

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "what the tests may use is no setting of the server")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether the servers under test run on PostgreSQL.
pub(crate) fn on_postgres() -> bool {
    variable("ROOMCAST_TEST_DATABASE").as_deref() == Some("postgres")
}

/// Says that a test, or a part of one, did not run. Written past the test runner, which shows what a test
/// prints only where it fails.
#[track_caller]
pub(crate) fn not_run(why: &str) {
    report(&format!("NOT RUN: {} ({why})", std::panic::Location::caller()));
}

/// Says something past the test runner: figures, and the seed with which to see the same again.
#[expect(clippy::explicit_write, reason = "what eprintln! writes is captured")]
pub(crate) fn report(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}

/// A connection of the test's own to PostgreSQL. It ends when it is dropped.
pub(crate) async fn postgres(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the client, which the test drops")]
    tokio::spawn(connection);
    client
}

/// Where the organisations are that tests found: `ROOMCAST_TEST_ISOLATION` is shared (the default), schema or database.
pub(crate) fn isolation() -> Isolation {
    variable("ROOMCAST_TEST_ISOLATION").map_or(Isolation::Shared, |name| {
        Isolation::from_str(&name, true).expect("ROOMCAST_TEST_ISOLATION is shared, schema or database")
    })
}
