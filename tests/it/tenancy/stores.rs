//! Where the rows are, and what one store does to the others.

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use roomcast::db::Removal;
use roomcast::types::{Isolation, OrgId, Timestamp};
use roomcast::upkeep;
use roomcast::with_conn;
use serde_json::json;

use super::{connect_to_file, folder_of, is_founded, list_directory, list_stores, modes, start_in};
use crate::harness::environment::{not_run, on_postgres};
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
    enter_as(app, org, isolation, app.clock().now()).await;
    org
}

async fn enter_as(app: &TestApp, org: OrgId, isolation: Isolation, at: Timestamp) {
    let id = match app.app.db.engine() {
        roomcast::db::Engine::Sqlite => format!("x'{}'", org.as_uuid().simple()),
        roomcast::db::Engine::Postgres => format!("'{org}'"),
    };
    let at = match app.app.db.engine() {
        roomcast::db::Engine::Sqlite => at.as_millis().to_string(),
        roomcast::db::Engine::Postgres => format!("'{at}'"),
    };
    let mode = isolation.name().to_uppercase();
    let sql = format!(
        "INSERT INTO organisations (id, name, slug, plan, status, isolation, created_at, updated_at) \
         VALUES ({id}, 'Half', 'half', 'FREE', 'ACTIVE', '{mode}', {at}, {at})"
    );
    execute(app, &sql).await;
}

/// Has the directory execute this.
async fn execute(app: &TestApp, sql: &str) {
    let mut tx = app.app.db.central().begin_write().await.unwrap();
    let conn: &mut roomcast::db::Conn = &mut tx;
    with_conn!(conn, |c| c.batch_execute(sql).await).unwrap();
    crate::activity::finish(tx).await;
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
        // What is for all is done for the others.
        let told = upkeep::renew_epochs(&app.app.db).await.unwrap_err().to_string();
        assert!(told.contains("1 activity logs") && told.contains(&acme.org_id().to_string()), "{told}");
        // Whose store is away is no orphan.
        app.advance(MINUTES_11);
        upkeep::compare_directory(&app.app).await.unwrap();
        assert_eq!(list_directory(&app.app.db).await.unwrap().len(), 2);
    }
}

/// One attempt to found an organisation takes its entry and its store back, and another node has used that store.
#[tokio::test(flavor = "multi_thread")]
async fn a_founding_that_is_taken_up_again_makes_its_store_anew() {
    for isolation in modes() {
        let app = start_in(isolation).await;
        let nodes =
            if on_postgres() { app.ground().database.nodes(2).await } else { vec![app.app.db.clone()] };
        let (first, second) = (&nodes[0], &nodes[nodes.len() - 1]);
        let (org, at) = (OrgId::new(), app.clock().now());
        enter_as(&app, org, isolation, at).await;
        assert!(!is_founded(second, org).await.unwrap());
        // Whoever took the entry over keeps both.
        let earlier = at.minus(std::time::Duration::from_secs(1));
        assert_eq!(first.remove_unfounded(org, earlier).await.unwrap(), Removal::Kept);
        assert_eq!(first.remove_unfounded(org, at).await.unwrap(), Removal::Done);
        assert!(list_directory(&app.app.db).await.unwrap().is_empty());
        let url = app.ground().database.url();
        assert!(list_stores(&url, isolation, &[org]).await.is_empty());
        // What it remembers of that store is nothing to the next one.
        enter_as(&app, org, isolation, at).await;
        second.place(org, isolation);
        assert!(!is_founded(second, org).await.unwrap());
        assert_eq!(list_stores(&url, isolation, &[org]).await.len(), 1);
    }
}

/// Whoever closes a file as the last has it alone for as long as that takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_being_closed_is_removed_after_that() {
    use diesel::connection::SimpleConnection as _;

    if on_postgres() {
        return not_run("it is about SQLite's files");
    }
    let app = start_in(Isolation::Database).await;
    let roomcast::db::DatabaseUrl::Sqlite(path) = app.ground().database.url() else { unreachable!() };
    let (org, at) = (OrgId::new(), app.clock().now());
    enter_as(&app, org, Isolation::Database, at).await;
    app.app.db.prepare(org).await.unwrap();
    let mut closing = connect_to_file(&path, org);
    closing.batch_execute("PRAGMA locking_mode = EXCLUSIVE; SELECT * FROM settings").unwrap();
    let close = async {
        eventually("the removal to begin", async || {
            let directory = list_directory(&app.app.db).await.unwrap();
            matches!(directory[..], [(_, _, None)]).then_some(())
        })
        .await;
        drop(closing);
    };
    let (removal, ()) = tokio::join!(app.app.db.remove_unfounded(org, at), close);
    assert_eq!(removal.unwrap(), Removal::Done);
    assert!(list_directory(&app.app.db).await.unwrap().is_empty());
    assert!(list_stores(&app.ground().database.url(), Isolation::Database, &[org]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_could_not_be_made_is_made_later() {
    if on_postgres() {
        return not_run("it takes the place of SQLite's files");
    }
    let app = start_in(Isolation::Database).await;
    let roomcast::db::DatabaseUrl::Sqlite(path) = app.ground().database.url() else { unreachable!() };
    let folder = folder_of(&path);
    std::fs::write(&folder, "in the way").unwrap();
    let org = enter(&app, Isolation::Database).await;
    let refused = is_founded(&app.app.db, org).await.unwrap_err();
    assert!(refused.to_string().contains("cannot be used"), "{refused}");
    std::fs::remove_file(&folder).unwrap();
    eventually("its store", async || is_founded(&app.app.db, org).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_a_store_to_look_after_it() {
    for isolation in modes() {
        let app = start_in(isolation).await;
        let half = enter(&app, isolation).await;
        upkeep::run(&app.app).await.unwrap();
        upkeep::compare_directory(&app.app).await.unwrap();
        assert_eq!(upkeep::renew_epochs(&app.app.db).await.unwrap(), 0);
        assert!(list_stores(&app.ground().database.url(), isolation, &[half]).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_that_cannot_be_is_refused_alone() {
    let app = start_in(Isolation::Database).await;
    let acme = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    app.register("Bolt", "Ana", "ana@example.com", PASSWORD).await;
    let locate = async |location: &str| {
        let sql = format!("UPDATE organisations SET location = '{location}' WHERE name = 'Acme'");
        execute(&app, &sql).await;
        app.app.db.forget(acme.org_id());
    };
    let directory = list_directory(&app.app.db).await.unwrap();
    let good = directory.into_iter().find(|(org, ..)| *org == acme.org_id()).unwrap().2.unwrap();
    locate("Not a name").await;
    let refused = is_founded(&app.app.db, acme.org_id()).await.unwrap_err();
    assert!(refused.to_string().contains("no name of a store"), "{refused}");
    let told = upkeep::renew_epochs(&app.app.db).await.unwrap_err().to_string();
    assert!(told.contains("1 activity logs"), "{told}");
    upkeep::compare_directory(&app.app).await.unwrap();
    locate(&good).await;
    assert!(is_founded(&app.app.db, acme.org_id()).await.unwrap());
}

async fn drop_store(url: &roomcast::db::DatabaseUrl, isolation: Isolation, org: OrgId) {
    let id = org.as_uuid().simple().to_string();
    match url {
        roomcast::db::DatabaseUrl::Sqlite(path) => {
            std::fs::remove_file(folder_of(path).join(format!("t_{id}.db"))).unwrap();
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
