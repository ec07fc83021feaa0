//! New migrations are held to what keeps the previous version running beside this one.

use std::path::Path;

/// Migrations from before this was looked at. None is ever added: a new one expands, and a later one contracts.
const BEFORE: [&str; 1] = ["2026-11-21-000300_feed_indexes"];

/// What in a migration breaks a node of the previous version, if anything. `sql` has no comments.
fn breakage(sql: &str) -> Option<&'static str> {
    let words = sql.to_uppercase().replace(['(', ')', ','], " ").replace("IF EXISTS ", "");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    for statement in words.split(';') {
        let statement = statement.trim();
        let adds_column = statement.contains(" ADD COLUMN ");
        let found = [
            (statement.starts_with("DROP TABLE"), "DROP TABLE"),
            (statement.starts_with("DROP INDEX"), "DROP INDEX"),
            (statement.contains(" DROP COLUMN "), "DROP COLUMN"),
            (statement.starts_with("ALTER") && statement.contains(" RENAME "), "RENAME"),
            (statement.contains(" ALTER COLUMN ") && statement.contains(" TYPE "), "ALTER TYPE"),
            (statement.contains(" SET NOT NULL"), "SET NOT NULL"),
            (
                adds_column && statement.contains("NOT NULL") && !statement.contains(" DEFAULT "),
                "NOT NULL without a default",
            ),
        ];
        if let Some((_, what)) = found.into_iter().find(|(is_so, _)| *is_so) {
            return Some(what);
        }
    }
    None
}

fn without_comments(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_new_migration_breaks_the_previous_version() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut seen = 0;
    for folder in ["postgres/central", "postgres/tenant", "sqlite/central", "sqlite/tenant"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let sql = std::fs::read_to_string(entry.path().join("up.sql")).unwrap();
            seen += 1;
            if !BEFORE.contains(&name.as_str()) {
                assert_eq!(
                    breakage(&without_comments(&sql)),
                    None,
                    "{folder}/{name}: docs/tenancy.md, expand and contract"
                );
            }
        }
    }
    assert!(seen >= 12);
}

#[test]
fn what_breaks_the_previous_version_is_told() {
    let cases = [
        ("ALTER TABLE a DROP COLUMN b", Some("DROP COLUMN")),
        ("DROP TABLE IF EXISTS a", Some("DROP TABLE")),
        ("drop index a", Some("DROP INDEX")),
        ("ALTER TABLE a ALTER COLUMN b TYPE text", Some("ALTER TYPE")),
        ("ALTER TABLE a ALTER COLUMN b SET DATA TYPE text", Some("ALTER TYPE")),
        ("ALTER TABLE a RENAME TO b", Some("RENAME")),
        ("ALTER TABLE a\n RENAME COLUMN b TO c", Some("RENAME")),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL", Some("SET NOT NULL")),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL", Some("NOT NULL without a default")),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT ''", None),
        ("ALTER TABLE a ADD COLUMN b text", None),
        ("CREATE TABLE a (b text NOT NULL)", None),
        ("CREATE INDEX a ON b (c)", None),
    ];
    for (sql, expected) in cases {
        assert_eq!(breakage(sql), expected, "{sql}");
    }
}
