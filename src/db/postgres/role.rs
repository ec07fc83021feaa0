//! The role that the hub works under.
//!
//! Whoever `DATABASE_URL` names may own the tables, or be a superuser, whom no policy holds. So every pooled
//! connection takes on a role that may read and write rows and nothing else: it is no superuser, does not bypass
//! row-level security, owns nothing and cannot sign in. Migrations stay with whoever `DATABASE_URL` names.

use anyhow::{Context as _, bail};
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel::sql_types::{Array, Bool, Text};
use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};

/// Named after the database, because roles are the whole server's, on which there may be other hubs. A name has
/// 63 bytes at most.
const NAME: &str = "SELECT quote_ident(name) AS quoted, name, quote_ident(session_user) AS login FROM (
    SELECT 'roomcast_hub_' || CASE WHEN octet_length(current_database()) <= 50 THEN current_database()::text
        ELSE md5(current_database()) END AS name
) AS named";

/// What there is of the role. It must own nothing that it works on: an owner may take policies away.
const FOUND: &str = "SELECT r.rolsuper OR r.rolbypassrls AS is_above,
    EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY ($2) AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS is_owner,
    EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member
        WHERE m.roleid = r.oid AND u.rolname = session_user) AS is_granted
    FROM pg_roles r WHERE r.rolname = $1";

/// The schemas among these in which it lacks a right, or has one more than it needs. What begins with two
/// underscores is the migrations' own.
const RIGHTS: &str = "SELECT n.nspname::text AS text FROM pg_namespace n, pg_roles r
    WHERE r.rolname = $1 AND n.nspname = ANY ($2) AND (
        NOT has_schema_privilege(r.oid, n.oid, 'USAGE') OR has_schema_privilege(r.oid, n.oid, 'CREATE')
        OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND
            CASE WHEN starts_with(c.relname, '__')
            THEN has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
            ELSE has_table_privilege(r.oid, c.oid, 'TRUNCATE, REFERENCES, TRIGGER') OR NOT (
                has_table_privilege(r.oid, c.oid, 'SELECT') AND has_table_privilege(r.oid, c.oid, 'INSERT')
                AND has_table_privilege(r.oid, c.oid, 'UPDATE') AND has_table_privilege(r.oid, c.oid, 'DELETE')
            ) END))";

/// The schemas among these whose later tables it would lack rights on, if whoever asks made them.
const LATER_RIGHTS: &str = "SELECT n.nspname::text AS text FROM pg_namespace n, pg_roles r
    WHERE r.rolname = $1 AND n.nspname = ANY ($2) AND has_schema_privilege(n.oid, 'CREATE')
        AND 4 <> (SELECT count(*) FROM pg_default_acl d, aclexplode(d.defaclacl) AS a
            WHERE d.defaclnamespace = n.oid AND d.defaclobjtype = 'r' AND a.grantee = r.oid
            AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user))";

/// The tables of organisations among these schemas that row-level security does not guard as migrations had it. The
/// directory names organisations, and is everybody's.
const UNGUARDED: &str = "SELECT n.nspname || '.' || c.relname AS text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r
    WHERE r.rolname = $1 AND n.nspname = ANY ($2) AND n.nspname <> 'central' AND c.relkind IN ('r', 'p')
        AND NOT starts_with(c.relname, '__') AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND COALESCE((
            SELECT count(*) = 1 AND bool_and(p.polcmd = '*' AND p.polpermissive AND p.polroles = '{0}'
                AND pg_get_expr(p.polqual, p.polrelid) LIKE '(org_id = ANY (%roomcast.orgs%)'
                AND pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid))
            FROM pg_policy p WHERE p.polrelid = c.oid), false))
    ORDER BY 1";

/// The name of the role of a database, and of who is signed in there.
#[derive(Debug, Clone, QueryableByName)]
pub(in crate::db) struct Role {
    #[diesel(sql_type = Text)]
    name: String,
    /// As it stands in SQL.
    #[diesel(sql_type = Text)]
    quoted: String,
    /// Who is signed in, as it stands in SQL.
    #[diesel(sql_type = Text)]
    login: String,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    is_above: bool,
    #[diesel(sql_type = Bool)]
    is_owner: bool,
    #[diesel(sql_type = Bool)]
    is_granted: bool,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Role {
    /// The role of the database that `conn` is a connection to.
    pub(super) async fn of(conn: &mut AsyncPgConnection) -> QueryResult<Self> {
        sql_query(NAME).get_result(conn).await
    }

    /// Has a connection work under the role for as long as it lives.
    pub(super) fn take_on(&self) -> String {
        format!("SET ROLE {}", self.quoted)
    }

    /// Makes the role where it is missing, lets whoever is signed in take it on, and gives it its rights on these
    /// schemas and on what is made in them later. Where all of that is so, it changes nothing. One node at a time.
    pub(in crate::db) async fn settle(
        &self,
        conn: &mut AsyncPgConnection,
        schemas: &[&str],
    ) -> anyhow::Result<()> {
        let mut found = self.find(conn, schemas).await?;
        if found.is_none() {
            self.change(conn, &self.creation(), &format!("{}\n{}", self.creation(), self.grant())).await?;
            found = self.find(conn, schemas).await?;
        }
        if let Some(found) = &found {
            self.expect_held(found)?;
        }
        let is_granted = found.is_some_and(|found| found.is_granted);
        // Who makes a role on PostgreSQL 16 is granted it, and may yet not take it on.
        if !is_granted || self.try_on(conn).await.is_err() {
            let granted = self.change(conn, &self.grant(), &self.grant()).await;
            // It may have come by it another way.
            if self.try_on(conn).await.is_err() {
                granted?;
            }
        }
        let mut wrong = self.list(conn, RIGHTS, schemas).await?;
        wrong.extend(self.list(conn, LATER_RIGHTS, schemas).await?);
        wrong.sort_unstable();
        wrong.dedup();
        for schema in wrong {
            let rights = self.rights(&schema);
            self.change(conn, &rights, &rights).await?;
        }
        Ok(())
    }

    /// Fails unless connections can take the role on and it is one that policies hold; says what to do.
    pub(super) async fn require(&self, conn: &mut AsyncPgConnection, schemas: &[&str]) -> anyhow::Result<()> {
        let Some(found) = self.find(conn, schemas).await? else {
            let remedy = format!("{}\n{}", self.creation(), self.grant());
            bail!(self.refusal(&format!("the role {} does not exist", self.name), &remedy));
        };
        self.expect_held(&found)?;
        if let Err(error) = self.try_on(conn).await {
            bail!(self.refusal(&error.to_string(), &self.grant()));
        }
        let wrong = self.list(conn, RIGHTS, schemas).await?;
        if !wrong.is_empty() {
            let rights: Vec<String> = wrong.iter().map(|schema| self.rights(schema)).collect();
            let why =
                format!("the role {} lacks rights, or has too many, on {}", self.name, wrong.join(", "));
            bail!(self.refusal(&why, &rights.join("\n")));
        }
        let open = self.list(conn, UNGUARDED, schemas).await?;
        if !open.is_empty() {
            bail!(
                "row-level security or its one policy is missing, or is another than the migrations made, on {}: \
                 without it organisations in shared tables are not safe from each other",
                open.join(", ")
            );
        }
        Ok(())
    }

    /// Fails where the role is above policies, or may take them away.
    fn expect_held(&self, found: &Found) -> anyhow::Result<()> {
        let Self { name, quoted, .. } = self;
        if found.is_above {
            let remedy = format!("ALTER ROLE {quoted} NOSUPERUSER NOBYPASSRLS;");
            bail!(self.refusal(&format!("the role {name} is above row-level security"), &remedy));
        }
        if found.is_owner {
            let why = format!("the role {name} owns tables, or may act for their owner");
            bail!(self.refusal(&why, &format!("REVOKE … FROM {quoted}; ALTER TABLE … OWNER TO …;")));
        }
        Ok(())
    }

    async fn find(&self, conn: &mut AsyncPgConnection, schemas: &[&str]) -> QueryResult<Option<Found>> {
        let query = sql_query(FOUND).bind::<Text, _>(&self.name).bind::<Array<Text>, _>(schemas);
        let found: Vec<Found> = query.load(conn).await?;
        Ok(found.into_iter().next())
    }

    async fn list(
        &self,
        conn: &mut AsyncPgConnection,
        query: &str,
        schemas: &[&str],
    ) -> QueryResult<Vec<String>> {
        let query = sql_query(query).bind::<Text, _>(&self.name).bind::<Array<Text>, _>(schemas);
        let lines: Vec<Line> = query.load(conn).await?;
        Ok(lines.into_iter().map(|line| line.text).collect())
    }

    async fn try_on(&self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        let tried = conn.batch_execute(&format!("BEGIN; SET LOCAL ROLE {}", self.quoted)).await;
        conn.batch_execute("ROLLBACK").await?;
        tried
    }

    async fn change(&self, conn: &mut AsyncPgConnection, sql: &str, by_hand: &str) -> anyhow::Result<()> {
        match conn.batch_execute(sql).await {
            Err(QueryError::DatabaseError(DatabaseErrorKind::Unknown, told)) => {
                bail!(self.refusal(told.message(), by_hand))
            }
            done => done.with_context(|| format!("setting up the role {}", self.name)),
        }
    }

    /// What gives it its rights on a schema: rows, and nothing else.
    fn rights(&self, schema: &str) -> String {
        let Self { quoted, .. } = self;
        let schema = format!("\"{}\"", schema.replace('"', "\"\""));
        format!(
            "REVOKE ALL ON SCHEMA {schema} FROM {quoted}; GRANT USAGE ON SCHEMA {schema} TO {quoted};
             REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {quoted};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {quoted};
             REVOKE ALL ON {schema}.__diesel_schema_migrations FROM {quoted};
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {quoted};"
        )
    }

    fn creation(&self) -> String {
        format!("CREATE ROLE {} NOLOGIN NOINHERIT;", self.quoted)
    }

    fn grant(&self) -> String {
        format!("GRANT {} TO {};", self.quoted, self.login)
    }

    /// What is wrong, and what an administrator of the server runs where the hub may not.
    fn refusal(&self, why: &str, remedy: &str) -> String {
        format!(
            "{why}. PostgreSQL's row-level security keeps organisations in shared tables apart only where the hub \
             works under a role that it holds, so without that none are kept there. {} lacks the rights to put \
             this right, or leaves it to you: as a superuser, in this database, run\n\n{remedy}\n\nand start again",
            self.login
        )
    }
}
