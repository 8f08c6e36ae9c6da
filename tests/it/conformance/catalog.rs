//! What the catalog of the database says about the schema.

use std::collections::HashSet;

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use rapport_persistence::{known_constraints, migrations};

use crate::harness::{database_url, fresh_database};

/// Tables that find a workspace or belong to the installation, so that their keys can't begin with one.
const DIRECTORIES: &[&str] = &["workspaces", "api_keys", "secrets", "signing_keys", "__diesel_schema_migrations"];

#[derive(QueryableByName, Debug)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(url: &str, query: &str) -> Vec<String> {
    let mut pg = PgConnection::establish(url).unwrap();
    let lines: Vec<Line> = sql_query(query).load(&mut pg).unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

/// Keys of tables as `table constraint type column,column,…`.
const KEYS: &str = "
SELECT format('%s %s %s %s', c.conrelid::regclass, c.conname, c.contype,
              string_agg(a.attname, ',' ORDER BY k.place)) AS line
  FROM pg_constraint c
  CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k (number, place)
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
 WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('p', 'u', 'f')
 GROUP BY c.conrelid, c.conname, c.contype
UNION ALL
SELECT format('%s %s i %s', i.indrelid::regclass, i.indexrelid::regclass,
              string_agg(coalesce(a.attname, '()'), ',' ORDER BY k.place))
  FROM pg_index i
  CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY AS k (number, place)
  LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
  JOIN pg_class t ON t.oid = i.indrelid
 WHERE t.relnamespace = 'public'::regnamespace AND i.indisunique
 GROUP BY i.indrelid, i.indexrelid";

#[test]
fn every_key_begins_with_the_workspace() {
    let keys = lines(&database_url(), KEYS);
    assert!(keys.len() > 10);
    for key in keys {
        let parts: Vec<&str> = key.split(' ').collect();
        if !DIRECTORIES.contains(&parts[0]) {
            assert!(parts[3].split(',').next() == Some("workspace_id"), "{key}");
        }
    }
}

#[test]
fn every_constraint_has_a_name_of_ours_and_a_meaning() {
    let query = "SELECT conname::text AS line FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
                 AND contype IN ('p', 'u', 'f', 'c') AND conrelid::regclass::text <> '__diesel_schema_migrations' \
                 UNION SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
                 WHERE t.relnamespace = 'public'::regnamespace AND i.indisunique \
                 AND t.relname <> '__diesel_schema_migrations'";
    let known: HashSet<&str> = known_constraints().collect();
    let there: HashSet<String> = lines(&database_url(), query).into_iter().collect();
    for name in &there {
        assert!(known.contains(name.as_str()), "{name} has no meaning: add it to CONSTRAINTS");
    }
    for name in known {
        assert!(there.contains(name), "{name} is not in the database any more: remove it from CONSTRAINTS");
    }
}

/// The tables of the code are those of the database: columns, order, types, and what may be missing.
#[test]
fn the_schema_of_the_code_is_that_of_the_database() {
    let code = include_str!("../../../crates/persistence/src/schema.rs");
    let mut table = "";
    let mut expected = Vec::new();
    for line in code.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            table = name;
        } else if let Some((column, kind)) = line.trim_end_matches(',').split_once(" -> ") {
            let (kind, nullable) = match kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>')) {
                Some(kind) => (kind, "YES"),
                None => (kind, "NO"),
            };
            let kind = match kind {
                "Array<Text>" | "Array<Uuid>" => "ARRAY",
                "BigInt" => "bigint",
                "Binary" => "bytea",
                "Bool" => "boolean",
                "Date" => "date",
                "Double" => "double precision",
                "Integer" => "integer",
                "Jsonb" => "jsonb",
                "Numeric" => "numeric",
                "SmallInt" => "smallint",
                "Text" => "text",
                "Timestamptz" => "timestamp with time zone",
                "Uuid" => "uuid",
                other => panic!("{other} is a new kind of column: add it here"),
            };
            expected.push(format!("{table}.{column} {kind} {nullable}"));
        }
    }
    let query = "SELECT format('%s.%s %s %s', table_name, column_name, data_type, is_nullable) AS line \
                 FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations' \
                 ORDER BY table_name, ordinal_position";
    // Tables in alphabetical order, columns in their own.
    expected.sort_by(|one, other| one.split('.').next().cmp(&other.split('.').next()));
    assert_eq!(lines(&database_url(), query), expected);
}

#[test]
fn tables_stay_narrow_enough_for_a_quick_build() {
    let query = "SELECT format('%s %s', table_name, count(*)) AS line FROM information_schema.columns \
                 WHERE table_schema = 'public' GROUP BY table_name HAVING count(*) > 32";
    assert_eq!(lines(&database_url(), query), Vec::<String>::new());
}

#[test]
fn every_sort_of_every_list_has_an_index() {
    let records = "SELECT table_name::text AS line FROM information_schema.columns \
                   WHERE table_schema = 'public' AND column_name = 'deleted_at'";
    let records = lines(&database_url(), records);
    assert!(records.len() >= 2);
    for table in records {
        let query = format!("SELECT indexdef AS line FROM pg_indexes WHERE tablename = '{table}'");
        let indexes = lines(&database_url(), &query);
        // Notes have no name to be sorted by.
        let sorted = ["created_at", "updated_at", "sort_name"].into_iter();
        for column in sorted.filter(|column| table != "notes" || *column != "sort_name") {
            for alive in ["deleted_at IS NULL", "deleted_at IS NOT NULL"] {
                let wanted = format!("(workspace_id, {column}, id) WHERE ({alive})");
                assert!(indexes.iter().any(|index| index.contains(&wanted)), "{table}: {wanted}");
            }
        }
    }
}

#[test]
fn what_is_found_by_words_has_an_index_of_words_and_one_of_their_parts() {
    let searched = "SELECT table_name::text AS line FROM information_schema.columns \
                    WHERE table_schema = 'public' AND column_name = 'search'";
    let searched = lines(&database_url(), searched);
    assert!(searched.len() >= 2);
    for table in searched {
        let query = format!("SELECT indexdef AS line FROM pg_indexes WHERE tablename = '{table}'");
        let indexes = lines(&database_url(), &query);
        for wanted in ["USING gin (words_of(workspace_id, search))", "USING gin (workspace_id, search gin_trgm_ops)"] {
            assert!(indexes.iter().any(|index| index.contains(wanted)), "{table}: {wanted}");
        }
    }
}

/// Everything that makes up a schema, as text.
const SCHEMA: &str = "
SELECT format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'extension ' || extname FROM pg_extension
UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1";

#[test]
fn migrations_go_up_down_and_up_again_to_the_same_schema() {
    let url = fresh_database("test_migrations");
    let empty = lines(&url, SCHEMA);
    assert!(!migrations::run(&url).unwrap().is_empty());
    let first = lines(&url, SCHEMA);
    migrations::revert_all(&url).unwrap();
    let reverted: Vec<String> =
        lines(&url, SCHEMA).into_iter().filter(|line| !line.contains("__diesel_schema_migrations")).collect();
    assert_eq!(reverted, empty);
    migrations::run(&url).unwrap();
    assert_eq!(lines(&url, SCHEMA), first);
}

#[test]
fn two_who_migrate_at_once_take_turns() {
    let url = fresh_database("test_two_migrate");
    let applied: usize = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..4).map(|_| scope.spawn(|| migrations::run(&url).unwrap().len())).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    assert_eq!(applied, migrations::status(&url).unwrap().applied.len());
    assert!(migrations::status(&url).unwrap().pending.is_empty());
}
