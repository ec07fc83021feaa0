//! `roomcast migrate` over many stores.

use roomcast::db::DatabaseUrl;
use roomcast::types::{Isolation, OrgId};

use super::{connect_to_file, modes, start_in};
use crate::harness::app::SIGNING_KEY;
use crate::harness::database::with_database;
use crate::harness::environment::{on_postgres, postgres};
use crate::harness::{Child, PASSWORD};

const DOWN: [&str; 2] = [
    include_str!("../../../migrations/sqlite/tenant/2026-11-21-000300_feed_indexes/down.sql"),
    include_str!("../../../migrations/postgres/tenant/2026-11-21-000300_feed_indexes/down.sql"),
];

/// Runs SQL in an organisation's own store, as its owner.
async fn run(url: &DatabaseUrl, isolation: Isolation, org: OrgId, sql: &str) {
    let id = org.as_uuid().simple();
    match url {
        DatabaseUrl::Sqlite(path) => {
            use diesel::connection::SimpleConnection as _;

            connect_to_file(path, org).batch_execute(sql).unwrap();
        }
        DatabaseUrl::Postgres(url) => {
            let (url, schema) = match isolation {
                Isolation::Database => (with_database(url, &format!("roomcast_{id}")), "tenant".to_owned()),
                Isolation::Shared | Isolation::Schema => (url.clone(), format!("t_{id}")),
            };
            let sql = format!("SET search_path TO {schema}; {sql}");
            postgres(&url).await.batch_execute(&sql).await.unwrap();
        }
    }
}

async fn migrate(url: &str, arguments: &[&str]) -> (bool, String) {
    let arguments: Vec<&str> = std::iter::once("migrate").chain(arguments.iter().copied()).collect();
    let environment = [("DATABASE_URL", url), ("JWT_ACCESS_SECRET", SIGNING_KEY)];
    let (status, output) = Child::start(&arguments, &environment).ended_at_last().await;
    (status.success(), output)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_told_and_holds_up_no_other() {
    for isolation in modes() {
        let app = start_in(isolation).await;
        let behind = app.register("Behind", "Ana", "ana@example.com", PASSWORD).await;
        let broken = app.register("Broken", "Bea", "bea@example.com", PASSWORD).await;
        let current = app.register("Current", "Cy", "cy@example.com", PASSWORD).await;
        let forget = "DELETE FROM __diesel_schema_migrations WHERE version = '20261121000300'";
        let down = DOWN[usize::from(on_postgres())];
        let ground = app.stop().await;
        let place = ground.database.url();
        run(&place, isolation, behind.org_id(), &format!("{down}; {forget}")).await;
        let later = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000000')";
        run(&place, isolation, broken.org_id(), later).await;
        let url = ground.database.url_text();

        let (good, output) = migrate(&url, &["--status"]).await;
        assert!(
            !good && output.contains("pending behind (") && output.contains("failed broken ("),
            "{output}"
        );
        let (good, output) = migrate(&url, &["--dry-run", "--tenant", "behind"]).await;
        assert!(good && output.contains("2026-11-21-000300_feed_indexes"), "{output}");
        let (good, output) = migrate(&url, &["--tenant", "nobody"]).await;
        assert!(!good && output.contains("TENANT_MIGRATE_TENANT_ID"), "{output}");

        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("migrate.log");
        let (good, output) =
            migrate(&url, &["--concurrency", "2", "--log-file", log.to_str().unwrap()]).await;
        assert!(!good && output.contains("1 of 3 stores of organisations failed"), "{output}");
        let log = std::fs::read_to_string(log).unwrap();
        assert_eq!(log.lines().count(), 3, "{log}");
        assert!(
            log.contains("applied 2026-11-21-000300_feed_indexes") && log.contains("newer than"),
            "{log}"
        );
        let (good, output) = migrate(&url, &["--tenant", &behind.organisation_id]).await;
        assert!(good && output.contains("up to date before            1"), "{output}");

        let app = ground.start().await;
        for person in [&behind, &current] {
            app.as_user(person).get("/activities").await.expect_status(200);
        }
        crate::harness::eventually("a refusal of its own", async || {
            let answer = app.as_user(&broken).get("/activities").await;
            assert_eq!(answer.status, 503, "{}", answer.text);
            answer.text.contains("tenant_unavailable").then_some(())
        })
        .await;
    }
}
