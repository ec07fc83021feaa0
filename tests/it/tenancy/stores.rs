//! Where the rows are, and what one store does to the others.

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use roomcast::types::{Isolation, OrgId};
use roomcast::upkeep;
use roomcast::with_conn;
use serde_json::json;

use super::{is_founded, list_directory, list_stores, modes, start_in};
use crate::harness::environment::on_postgres;
use crate::harness::{PASSWORD, Person, TestApp, eventually};

const MINUTES_11: std::time::Duration = std::time::Duration::from_mins(11);

async fn broadcast(app: &TestApp, person: &Person, text: &str) -> crate::harness::Answer {
    app.as_user(person).post("/organisations/broadcast").json(&json!({ "message": text })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_is_where_its_isolation_says_and_is_delivered_to() {
    for isolation in modes() {
        let app = start_in(isolation).await;
        let acme = app.organisation("Acme").with_member("bo").create().await;
        let org = acme.admin.org_id();
        let mut bo = app.connect(&acme["bo"]).await;
        broadcast(&app, &acme.admin, "hello").await.expect_status(201);
        bo.expect_activity("BROADCAST_MESSAGE").await;
        let directory = list_directory(&app.app.db).await.unwrap();
        let [(found, mode, Some(location))] = &directory[..] else { panic!("{directory:?}") };
        assert_eq!((*found, *mode), (org, isolation));
        let stores = list_stores(&app.ground().database.url(), isolation, &[org]).await;
        assert_eq!(stores, std::slice::from_ref(location));
        assert!(is_founded(&app.app.db, org).await.unwrap());
        // Nothing of it is in the shared tables.
        let mut shared = app.app.db.orgs(Vec::new()).begin_read().await.unwrap();
        let conn: &mut roomcast::db::Conn = &mut shared;
        let count: i64 = with_conn!(conn, |c| {
            use diesel::QueryDsl as _;
            use diesel_async::RunQueryDsl as _;
            roomcast::db::schema::settings::table.count().get_result(c).await
        })
        .unwrap();
        crate::activity::finish(shared).await;
        assert_eq!(count, 0);
        bo.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_live_side_by_side_and_an_account_is_in_all_of_them() {
    let first = start_in(Isolation::Shared).await;
    first.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut ground = first.stop().await;
    let mut founded = 1;
    for isolation in modes() {
        ground.config.tenancy.isolation = isolation;
        let app = ground.start().await;
        let ana = app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
        founded += 1;
        let listed = app.as_user(&ana).get("/auth/organisations").await.expect_json(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), founded, "{listed}");
        upkeep::compare_directory(&app.app).await.unwrap();
        upkeep::run(&app.app).await.unwrap();
        assert_eq!(upkeep::renew_epochs(&app.app.db).await.unwrap(), founded);
        ground = app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_made_once_however_many_come_first() {
    for isolation in modes() {
        let app = start_in(isolation).await;
        let org = enter(&app, isolation).await;
        // A SQLite file takes one.
        let nodes =
            if on_postgres() { app.ground().database.nodes(3).await } else { vec![app.app.db.clone()] };
        let uses = (0..12).map(|number| {
            let db = nodes[number % nodes.len()].clone();
            async move { is_founded(&db, org).await }
        });
        for used in join_all(uses).await {
            assert!(!used.unwrap());
        }
        assert_eq!(list_stores(&app.ground().database.url(), isolation, &[org]).await.len(), 1);
    }
}

/// The directory's entry of an organisation whose founding died there.
async fn enter(app: &TestApp, isolation: Isolation) -> OrgId {
    let org = OrgId::new();
    let id = match app.app.db.engine() {
        roomcast::db::Engine::Sqlite => format!("x'{}'", org.as_uuid().simple()),
        roomcast::db::Engine::Postgres => format!("'{org}'"),
    };
    let at = match app.app.db.engine() {
        roomcast::db::Engine::Sqlite => app.clock().now().as_millis().to_string(),
        roomcast::db::Engine::Postgres => format!("'{}'", app.clock().now()),
    };
    let mode = isolation.name().to_uppercase();
    let mut tx = app.app.db.central().begin_write().await.unwrap();
    let sql = format!(
        "INSERT INTO organisations (id, name, slug, plan, status, isolation, created_at, updated_at) \
         VALUES ({id}, 'Half', 'half', 'FREE', 'ACTIVE', '{mode}', {at}, {at})"
    );
    let conn: &mut roomcast::db::Conn = &mut tx;
    with_conn!(conn, |c| c.batch_execute(&sql).await).unwrap();
    crate::activity::finish(tx).await;
    org
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_founded_goes_with_its_store() {
    for isolation in modes() {
        let app = start_in(isolation).await;
        let acme = app.organisation("Acme").create().await;
        let half = enter(&app, isolation).await;
        assert!(!is_founded(&app.app.db, half).await.unwrap());
        let orgs = [acme.admin.org_id(), half];
        let url = app.ground().database.url();
        assert_eq!(list_stores(&url, isolation, &orgs).await.len(), 2);
        // While somebody may still be at it, it stays.
        upkeep::compare_directory(&app.app).await.unwrap();
        assert_eq!(list_directory(&app.app.db).await.unwrap().len(), 2);
        app.advance(MINUTES_11);
        upkeep::compare_directory(&app.app).await.unwrap();
        let directory = list_directory(&app.app.db).await.unwrap();
        assert_eq!(directory.iter().map(|(org, ..)| *org).collect::<Vec<_>>(), [orgs[0]]);
        assert_eq!(list_stores(&url, isolation, &orgs).await.len(), 1);
        assert!(is_founded(&app.app.db, orgs[0]).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_databases_have_connections_as_may() {
    let app = TestApp::with(|config| {
        config.tenancy.isolation = Isolation::Database;
        config.tenancy.pools = 2;
    })
    .await;
    let mut people = Vec::new();
    for number in 0..5 {
        let email = format!("ana{number}@example.com");
        people.push(app.register(&format!("Acme {number}"), "Ana", &email, PASSWORD).await);
    }
    for round in 0..3 {
        let text = format!("round {round}");
        for answer in join_all(people.iter().map(|person| broadcast(&app, person, &text))).await {
            answer.expect_status(201);
        }
        assert!(app.app.db.close_idle() <= 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_is_refused_alone() {
    for isolation in modes() {
        let app = start_in(isolation).await;
        let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
        let bolt = app.register("Bolt", "Bea", "bea@example.com", PASSWORD).await;
        let ground = app.stop().await;
        drop_store(&ground.database.url(), isolation, acme.org_id()).await;
        let app = ground.start().await;
        let refused = eventually("a refusal of its own", async || {
            let answer = broadcast(&app, &acme, "lost").await;
            assert_eq!(answer.status, 503, "{}", answer.text);
            answer.text.contains("tenant_unavailable").then_some(answer)
        });
        refused.await.expect_problem(503, "tenant_unavailable");
        broadcast(&app, &bolt, "found").await.expect_status(201);
        app.anonymous()
            .post("/auth/login")
            .json(&json!({ "email": "ana@example.com", "password": PASSWORD }))
            .await
            .expect_problem(503, "tenant_unavailable");
        // Whose store is away is no orphan.
        app.advance(MINUTES_11);
        upkeep::compare_directory(&app.app).await.unwrap();
        assert_eq!(list_directory(&app.app.db).await.unwrap().len(), 2);
    }
}

async fn drop_store(url: &roomcast::db::DatabaseUrl, isolation: Isolation, org: OrgId) {
    let id = org.as_uuid().simple().to_string();
    match url {
        roomcast::db::DatabaseUrl::Sqlite(path) => {
            let folder =
                path.with_file_name(format!("{}.tenants", path.file_name().unwrap().to_str().unwrap()));
            std::fs::remove_file(folder.join(format!("t_{id}.db"))).unwrap();
        }
        roomcast::db::DatabaseUrl::Postgres(url) => {
            let sql = match isolation {
                Isolation::Database => format!("DROP DATABASE roomcast_{id} WITH (FORCE)"),
                Isolation::Shared | Isolation::Schema => format!("DROP SCHEMA t_{id} CASCADE"),
            };
            crate::harness::environment::postgres(url).await.batch_execute(&sql).await.unwrap();
        }
    }
}
