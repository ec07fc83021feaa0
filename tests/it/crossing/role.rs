//! The role that the hub works under on PostgreSQL, and what a start says where it cannot.

use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use futures_util::future::join_all;
use roomcast::db::{Db, DbError};
use roomcast::with_conn;
use tokio_postgres::Client;

use crate::harness::environment::{not_run, on_postgres, postgres};
use crate::harness::{Child, PASSWORD, TestDatabase};
use crate::operator::environment;

#[derive(QueryableByName, Debug, PartialEq, Eq, Clone)]
struct Who {
    #[diesel(sql_type = Text)]
    current: String,
    #[diesel(sql_type = Bool)]
    is_above: bool,
    #[diesel(sql_type = Bool)]
    login_is_superuser: bool,
}

const WHO: &str = "SELECT current_user::text AS current,
    (SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin FROM pg_roles
        WHERE rolname = current_user) AS is_above,
    (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AS login_is_superuser";

/// So many connections at the same time: who they are, each asked for a while, and ended in one way or another.
async fn who(db: &Db, how_many: usize, works: bool) -> Vec<Who> {
    let mut open = Vec::new();
    for _ in 0..how_many {
        open.push(db.orgs(Vec::new()).begin_write().await.unwrap());
    }
    join_all(open.into_iter().map(async |mut tx| {
        let who: Who = with_conn!(&mut *tx, |c| sql_query(WHO).get_result(c).await).unwrap();
        let outcome = if works { Ok(()) } else { Err(DbError::Query(diesel::NotFound)) };
        if !works {
            let failed = with_conn!(&mut *tx, |c| sql_query("SELECT 1 / 0").execute(c).await);
            failed.unwrap_err();
        }
        assert_eq!(tx.finish(outcome).await.is_ok(), works);
        who
    }))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pooled_connection_works_under_a_role_that_policies_hold() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("it is about PostgreSQL");
    };
    let (db, superuser) = (database.db().await, postgres(&database.url_text()).await);
    let name: String = superuser.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    let expected = Who {
        current: format!("roomcast_hub_{name}"),
        is_above: false,
        // Whom no policy would hold.
        login_is_superuser: true,
    };
    for works in [true, false, true] {
        assert_eq!(who(&db, 10, works).await, vec![expected.clone(); 10]);
    }
    // So do those that come after them.
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    superuser.batch_execute(end).await.unwrap();
    assert_eq!(who(&db, 10, true).await, vec![expected; 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_may_read_and_write_rows_and_nothing_else() {
    let Some(database) = TestDatabase::create_on_postgres().await else {
        return not_run("it is about PostgreSQL");
    };
    let (db, superuser) = (database.db().await, postgres(&database.url_text()).await);
    let attempt = async |sql: &str| {
        let mut tx = db.central().begin_write().await.unwrap();
        let touched = with_conn!(&mut *tx, |c| sql_query(sql).execute(c).await);
        tx.finish(Err::<(), _>(DbError::Query(diesel::NotFound))).await.unwrap_err();
        touched
    };
    for sql in [
        "CREATE TABLE central.x (id int)",
        "CREATE TABLE shared.x (id int)",
        "CREATE SCHEMA x",
        "CREATE ROLE x",
        "DROP TABLE shared.users",
        "TRUNCATE central.memberships",
        "ALTER TABLE central.plans ADD COLUMN x int",
        "DELETE FROM shared.__diesel_schema_migrations",
        "SELECT 1 FROM central.__diesel_schema_migrations",
        "SELECT 1 FROM pg_authid",
        "COPY central.plans TO '/dev/null'",
    ] {
        let told = attempt(sql).await.unwrap_err().to_string();
        assert!(told.contains("permission denied") || told.contains("must be"), "{sql}: {told}");
    }
    // What a later migration makes is its own to use at once.
    for schema in ["central", "shared"] {
        superuser.batch_execute(&format!("CREATE TABLE {schema}.later (id int)")).await.unwrap();
        assert_eq!(attempt(&format!("INSERT INTO {schema}.later VALUES (1)")).await.unwrap(), 1);
        assert_eq!(attempt(&format!("DELETE FROM {schema}.later")).await.unwrap(), 0);
    }
}

/// A database of an ordinary user's, on the server of the tests. It and its roles go with `gone`.
pub(super) struct Owned {
    superuser: Client,
    name: String,
    pub(super) url: String,
}

impl Owned {
    /// `None` where the tests run on SQLite.
    pub(super) async fn create(attributes: &str) -> Option<Self> {
        if !on_postgres() {
            return None;
        }
        // For its name and its server; the database itself is another's.
        let database = TestDatabase::create().await;
        let url = database.url_text();
        let (_, server) = url.rsplit_once('@').unwrap();
        let (authority, name) = server.split_once('/').unwrap();
        let name = format!("{}_own", name.split('?').next().unwrap());
        let (before, _) = url.rsplit_once('/').unwrap();
        let superuser = postgres(&format!("{before}/postgres")).await;
        let login = format!("CREATE ROLE {name} LOGIN PASSWORD 'a-password-of-its-owner' {attributes}");
        superuser.batch_execute(&login).await.unwrap();
        superuser.batch_execute(&format!("CREATE DATABASE {name} OWNER {name}")).await.unwrap();
        let url = format!("postgres://{name}:a-password-of-its-owner@{authority}/{name}");
        Some(Self { superuser, name, url })
    }

    /// Starts a hub there, which must say no and these words; what it said.
    async fn refuses(&self, words: &[&str]) -> String {
        let (status, output) = Child::start(&[], &environment(&self.url)).ended().await;
        assert!(!status.success(), "{output}");
        for word in words {
            assert!(output.contains(word), "{word:?} in:\n{output}");
        }
        assert!(!output.contains("a-password-of-its-owner"), "{output}");
        output
    }

    /// Starts a hub there, which must serve.
    pub(super) async fn serves(&self) {
        let mut child = Child::start(&[], &environment(&self.url));
        let client = child.listening().await;
        let email = format!("{}@example.com", uuid::Uuid::now_v7());
        let ana = client.register("Acme", "Ana", &email, PASSWORD).await;
        client.broadcast(&ana, "hello").await;
        child.stop().await;
    }

    pub(super) async fn gone(self) {
        let Self { superuser, name, .. } = self;
        superuser.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        superuser.batch_execute(&format!("DROP ROLE roomcast_hub_{name}; DROP ROLE {name}")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_make_roles_needs_no_help() {
    let Some(owned) = Owned::create("CREATEROLE").await else {
        return not_run("it is about PostgreSQL");
    };
    owned.serves().await;
    owned.serves().await;
    owned.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_what_to_run() {
    let Some(owned) = Owned::create("").await else {
        return not_run("it is about PostgreSQL");
    };
    let output = owned.refuses(&["row-level security", "as a superuser"]).await;
    let sql: Vec<&str> =
        output.lines().filter(|line| line.starts_with("CREATE ROLE") || line.starts_with("GRANT")).collect();
    assert_eq!(sql.len(), 2, "{output}");
    owned.superuser.batch_execute(sql[0]).await.unwrap();
    let output = owned.refuses(&[sql[1]]).await;
    assert!(!output.contains(sql[0]), "{output}");
    owned.superuser.batch_execute(sql[1]).await.unwrap();
    owned.serves().await;

    // A role that policies do not hold is no use.
    let role = format!("roomcast_hub_{}", owned.name);
    let remedy = format!("ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS");
    for attribute in ["BYPASSRLS", "SUPERUSER"] {
        owned.superuser.batch_execute(&format!("ALTER ROLE {role} {attribute}")).await.unwrap();
        owned.refuses(&["above row-level security", &remedy]).await;
        owned.superuser.batch_execute(&remedy).await.unwrap();
    }
    let grant = format!("GRANT {} TO {role}", owned.name);
    let revoke = format!("REVOKE {role} FROM {}", owned.name);
    owned.superuser.batch_execute(&format!("{revoke}; {grant}")).await.unwrap();
    owned.refuses(&["may act for their owner"]).await;
    let undo = format!("REVOKE {} FROM {role}; GRANT {role} TO {}", owned.name, owned.name);
    owned.superuser.batch_execute(&undo).await.unwrap();
    owned.serves().await;
    owned.gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_finds_tables_that_nothing_guards() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let database = TestDatabase::create().await;
    let db = database.db().await;
    db.require_role().await.unwrap();
    let superuser = postgres(&database.url_text()).await;
    let tenant = "CREATE POLICY tenant ON users USING \
        (org_id = ANY((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))";
    let again = &format!("DROP POLICY tenant ON users; {tenant}");
    for (wrong, undo) in [
        ("ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "ALTER TABLE users FORCE ROW LEVEL SECURITY"),
        ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", "ALTER TABLE users ENABLE ROW LEVEL SECURITY"),
        ("CREATE POLICY more ON users USING (true)", "DROP POLICY more ON users"),
        ("DROP POLICY tenant ON users", tenant),
        ("ALTER POLICY tenant ON users WITH CHECK (true)", again),
        ("DROP POLICY tenant ON users; CREATE POLICY tenant ON users USING (org_id = org_id OR true)", again),
    ] {
        superuser.batch_execute(&format!("SET search_path TO shared; {wrong}")).await.unwrap();
        let told = db.require_role().await.unwrap_err().to_string();
        assert!(told.contains("shared.users"), "{wrong}: {told}");
        superuser.batch_execute(undo).await.unwrap();
        db.require_role().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_organisation_reaches_the_directory_by_its_name_alone() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let database = TestDatabase::create().await;
    let db = database.db().await;
    let mut tx = db.orgs(Vec::new()).begin_read().await.unwrap();
    let told = with_conn!(&mut *tx, |c| sql_query("SELECT FROM accounts").execute(c).await).unwrap_err();
    assert!(told.to_string().contains("does not exist"), "{told}");
}

/// A pooled connection keeps its role as long as it lives: nothing that the hub sends takes it off.
#[test]
fn nothing_gives_a_connection_its_old_role_back() {
    fn read(folder: &std::path::Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, found);
            } else {
                found.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    let mut source = String::new();
    read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
    for taking_off in ["RESET ", "DISCARD ", "SESSION AUTHORIZATION", "ROLE NONE", "ROLE TO"] {
        assert!(!source.contains(taking_off), "{taking_off}");
    }
    assert_eq!(source.matches("\"SET ROLE ").count(), 1);
}
