//! The second lock: with every filter taken away, a scope of one organisation reaches nothing of another. The URL of
//! these tests is a superuser's, whom no policy would hold.

use std::collections::BTreeMap;

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl as _;
use roomcast::db::{Db, DbError, Scope};
use roomcast::with_conn;
use tokio_postgres::Client;

use crate::harness::environment::{not_run, on_postgres, postgres};
use crate::harness::{Organisation, TestApp};

/// Every table of every tenant store, with what keeps it: whether row-level security is on and forced, its
/// policies, and the first column of its key.
const TABLES: &str =
    "SELECT n.nspname || '.' || c.relname, concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity,
        (SELECT string_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive, p.polroles::text,
                pg_get_expr(p.polqual, p.polrelid),
                coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid))), ', ')
            FROM pg_policy p WHERE p.polrelid = c.oid),
        (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = c.oid AND i.indisprimary))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_\\_%'
        AND n.nspname NOT IN ('central', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1";

/// What all of them have.
const KEPT: &str = "t t tenant * t {0} \
    (org_id = ANY (( SELECT (current_setting('roomcast.orgs'::text, true))::uuid[] AS current_setting)::uuid[])) \
    (org_id = ANY (( SELECT (current_setting('roomcast.orgs'::text, true))::uuid[] AS current_setting)::uuid[])) \
    org_id";

/// The tables, and those among them that something else keeps than the others.
pub(super) async fn tables(superuser: &Client) -> (Vec<String>, Vec<(String, String)>) {
    let rows = superuser.query(TABLES, &[]).await.unwrap();
    let found: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let names = found.iter().map(|(name, _)| name.clone()).collect();
    (names, found.into_iter().filter(|(_, kept)| kept != KEPT).collect())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many rows a statement touches in a scope, or why it fails. Nothing of it stays.
async fn attempt(scope: Scope, sql: &str) -> Result<usize, String> {
    let mut tx = scope.begin_write().await.unwrap();
    let touched = with_conn!(&mut *tx, |c| sql_query(sql).execute(c).await);
    tx.finish(Err::<(), _>(DbError::Query(diesel::NotFound))).await.unwrap_err();
    touched.map_err(|error| error.to_string())
}

async fn count(scope: Scope, sql: &str) -> i64 {
    let mut tx = scope.begin_read().await.unwrap();
    let counted = with_conn!(&mut *tx, |c| sql_query(sql).get_result::<Count>(c).await).unwrap();
    tx.finish(Ok::<_, DbError>(counted.count)).await.unwrap()
}

/// Two organisations with rows in every table, and who may see them all.
struct Two {
    app: TestApp,
    superuser: Client,
    ours: Organisation,
    theirs: Organisation,
    tables: Vec<String>,
}

impl Two {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let superuser = postgres(&app.database_url()).await;
        let mut organisations = Vec::new();
        for name in ["Acme", "Bolt"] {
            let organisation = app.organisation(name).with_member("mia").create().await;
            app.invite(&organisation.admin, &format!("guest@{name}.example"), "MEMBER").await;
            let keyed = app.as_user(&organisation.admin).post("/organisations/broadcast");
            let keyed =
                keyed.header("idempotency-key", "one").json(&serde_json::json!({ "message": "hello" }));
            keyed.await.expect_status(201);
            app.send_message(&organisation.admin, &crate::messages::text("hello")).await;
            app.jobs_done(&organisation.admin).await;
            let job = format!(
                "INSERT INTO shared.jobs (org_id, id, kind, payload, state, attempts, max_attempts, created_at, \
                 updated_at) VALUES ('{}', gen_random_uuid(), 'messages.send', '{{}}', 'DEAD', 1, 1, now(), now())",
                organisation.id
            );
            superuser.batch_execute(&job).await.unwrap();
            // Nothing is addressed to named users yet.
            let recipient = format!(
                "INSERT INTO shared.activity_recipients (org_id, user_id, seq) VALUES ('{}', '{}', 1)",
                organisation.id, organisation.admin.id
            );
            superuser.batch_execute(&recipient).await.unwrap();
            // Whoever registers signs up with no token.
            let sign_up = format!(
                "INSERT INTO shared.sign_ups (org_id, id, token_hash, administrator_id, created_at, expires_at)
                VALUES ('{}', gen_random_uuid(), '', gen_random_uuid(), now(), now())",
                organisation.id
            );
            superuser.batch_execute(&sign_up).await.unwrap();
            organisations.push(organisation);
        }
        let theirs = organisations.pop().unwrap();
        let ours = organisations.pop().unwrap();
        let (tables, _) = tables(&superuser).await;
        Self { app, superuser, ours, theirs, tables }
    }

    fn db(&self) -> &Db {
        &self.app.app.db
    }

    fn our_scope(&self) -> Scope {
        self.db().org(self.ours.id.parse().unwrap())
    }

    /// How many rows of a table are an organisation's.
    async fn count_of(&self, table: &str, org: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE org_id = '{org}'");
        self.superuser.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// All that is theirs, as text.
    async fn their_rows(&self) -> BTreeMap<&str, Vec<String>> {
        let mut rows = BTreeMap::new();
        for table in &self.tables {
            let sql = format!("SELECT t::text FROM {table} t WHERE org_id = '{}' ORDER BY 1", self.theirs.id);
            let found = self.superuser.query(&sql, &[]).await.unwrap();
            rows.insert(table.as_str(), found.iter().map(|row| row.get(0)).collect());
        }
        rows
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenant_table_is_kept_by_the_one_policy() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let app = TestApp::start().await;
    let superuser = postgres(&app.database_url()).await;
    let (all, wrong) = tables(&superuser).await;
    assert_eq!(wrong, []);
    assert!(all.len() >= 8, "{all:?}");
    // It is noticed where one is not.
    let tables_without = "CREATE TABLE shared.bare (org_id uuid PRIMARY KEY);
        CREATE TABLE shared.unforced (org_id uuid PRIMARY KEY);
        ALTER TABLE shared.unforced ENABLE ROW LEVEL SECURITY;
        CREATE TABLE shared.generous (org_id uuid PRIMARY KEY);
        ALTER TABLE shared.generous ENABLE ROW LEVEL SECURITY; ALTER TABLE shared.generous FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON shared.generous USING (true)";
    superuser.batch_execute(tables_without).await.unwrap();
    let (_, wrong) = tables(&superuser).await;
    let wrong: Vec<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(wrong, ["shared.bare", "shared.generous", "shared.unforced"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_organisation_comes_back_without_a_filter() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let two = Two::found().await;
    let both = [&two.ours, &two.theirs].map(|organisation| organisation.id.parse().unwrap());
    for table in &two.tables {
        let (ours, theirs) =
            (two.count_of(table, &two.ours.id).await, two.count_of(table, &two.theirs.id).await);
        assert!(ours > 0 && theirs > 0, "{table} has no rows to try: have `Two::found` make some");
        let all = format!("SELECT count(*) AS count FROM {table}");
        assert_eq!(count(two.our_scope(), &all).await, ours, "{table}");
        let named = format!("{all} WHERE org_id = '{}'", two.theirs.id);
        assert_eq!(count(two.our_scope(), &named).await, 0, "{table}");
        let others = format!("{all} t WHERE (SELECT count(*) FROM {table} u WHERE u.org_id <> t.org_id) > 0");
        assert_eq!(count(two.our_scope(), &others).await, 0, "{table}");
        // A scope of both, of none, and of the directory.
        assert_eq!(count(two.db().orgs(both.to_vec()), &all).await, ours + theirs, "{table}");
        assert_eq!(count(two.db().orgs(Vec::new()), &all).await, 0, "{table}");
        assert_eq!(count(two.db().central(), &all).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_another_organisation_without_a_filter() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let two = Two::found().await;
    let (before, id) = (two.their_rows().await, &two.theirs.id);
    for table in &two.tables {
        let ours = usize::try_from(two.count_of(table, &two.ours.id).await).unwrap();
        let row = format!("SELECT row_to_json(t)::text AS text FROM {table} t WHERE org_id = '{id}' LIMIT 1");
        let row: String = two.superuser.query_one(&row, &[]).await.unwrap().get(0);
        let insert =
            format!("INSERT INTO {table} SELECT (json_populate_record(NULL::{table}, $row${row}$row$)).*");
        for refused in [
            insert.clone(),
            format!("{insert} ON CONFLICT DO NOTHING"),
            format!("UPDATE {table} SET org_id = '{id}'"),
        ] {
            let told = attempt(two.our_scope(), &refused).await.unwrap_err();
            assert!(told.contains("violates row-level security policy"), "{refused}: {told}");
        }
        for (touched, sql) in [
            (0, format!("UPDATE {table} SET org_id = org_id WHERE org_id = '{id}'")),
            (0, format!("DELETE FROM {table} WHERE org_id = '{id}'")),
            (0, format!("SELECT 1 FROM {table} WHERE org_id = '{id}' FOR UPDATE")),
            (ours, format!("SELECT 1 FROM {table} FOR UPDATE SKIP LOCKED")),
            (ours, format!("UPDATE {table} SET org_id = org_id")),
            (ours, format!("DELETE FROM {table}")),
        ] {
            assert_eq!(attempt(two.our_scope(), &sql).await, Ok(touched), "{sql}");
        }
        for sql in [
            format!("TRUNCATE {table} CASCADE"),
            format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
            format!("DROP POLICY tenant ON {table}"),
            format!(
                "CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
        ] {
            let told = attempt(two.our_scope(), &sql).await.unwrap_err();
            assert!(told.contains("permission denied") || told.contains("must be owner"), "{sql}: {told}");
        }
        let mut tx = two.our_scope().begin_write().await.unwrap();
        with_conn!(&mut *tx, |c| sql_query("SET LOCAL row_security TO off").execute(c).await).unwrap();
        let all = format!("SELECT count(*) AS count FROM {table}");
        let told = with_conn!(&mut *tx, |c| sql_query(&all).get_result::<Count>(c).await).err().unwrap();
        assert!(told.to_string().contains("would be affected by row-level security"), "{table}: {told}");
    }
    assert_eq!(two.their_rows().await, before);
}

/// What refers to something is looked up by the tables' owner, whom FORCE would hold, too, if PostgreSQL did not
/// except it.
#[tokio::test(flavor = "multi_thread")]
async fn what_refers_to_something_is_checked_and_goes_with_it() {
    if !on_postgres() {
        return not_run("it is about PostgreSQL");
    }
    let two = Two::found().await;
    let before = two.their_rows().await;
    let nobody = uuid::Uuid::now_v7();
    let orphan = format!("UPDATE shared.sessions SET user_id = '{nobody}'");
    let told = attempt(two.our_scope(), &orphan).await.unwrap_err();
    assert!(told.contains("violates foreign key constraint"), "{told}");
    let mut tx = two.our_scope().begin_write().await.unwrap();
    let deleted =
        with_conn!(&mut *tx, |c| sql_query("DELETE FROM shared.settings").execute(c).await).unwrap();
    assert_eq!(deleted, 1);
    tx.finish(Ok::<_, DbError>(())).await.unwrap();
    for table in &two.tables {
        assert_eq!(two.count_of(table, &two.ours.id).await, 0, "{table}");
    }
    assert_eq!(two.their_rows().await, before);
}
