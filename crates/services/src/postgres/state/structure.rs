//! Has the structure of a database changed (tables, columns, functions …)? Told from the rows of its catalogue.
//!
//! Compared by content, without what changes by itself: where a table's file is, how large it is, what is cached about
//! it, and whatever is temporary. Truncating a table or making a temporary one leaves the structure as it was.

use super::ask::{ask, flag, number, text, trouble};
use crate::state::StateError;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;

/// The first number that objects of users have; the catalogue's own ones have lower ones.
const FIRST_OF_USERS: u32 = 16384;

/// One part of the catalogue that makes up the structure.
struct Catalog {
    name: &'static str,
    /// The column that says which object a row is about.
    key: &'static str,
    /// Which rows count; empty for those of objects that users made.
    only: &'static str,
    /// Which rows are about what is temporary; empty for none.
    without: &'static str,
    /// Columns that change by themselves.
    volatile: &'static [&'static str],
}

const fn catalog(name: &'static str, key: &'static str, without: &'static str) -> Catalog {
    Catalog { name, key, only: "", without, volatile: &[] }
}

/// Tables that are temporary, or hold other tables' long values.
const HIDDEN: &str = "(select oid from pg_class where relpersistence = 't' or relnamespace = 99)";

/// Schemas of temporary tables.
const TEMPORARY: &str = "(select oid from pg_namespace where nspname ~ '^pg_(toast_)?temp_')";

const CATALOGS: &[Catalog] = &[
    Catalog {
        name: "pg_class",
        key: "oid",
        only: "",
        without: "oid in HIDDEN",
        volatile: &[
            "relfilenode",
            "relpages",
            "reltuples",
            "relallvisible",
            "relallfrozen",
            "relfrozenxid",
            "relminmxid",
            "reltoastrelid",
            // These say that there may be some; they stay when the last one goes.
            "relhasindex",
            "relhasrules",
            "relhastriggers",
            "relhassubclass",
            // Materialized views are restored by themselves.
            "relispopulated",
        ],
    },
    catalog("pg_attribute", "attrelid", "attrelid in HIDDEN"),
    catalog("pg_attrdef", "oid", "adrelid in HIDDEN"),
    catalog("pg_constraint", "oid", "conrelid in HIDDEN"),
    Catalog {
        name: "pg_index",
        key: "indexrelid",
        only: "",
        without: "indrelid in HIDDEN",
        volatile: &["indcheckxmin"],
    },
    catalog("pg_trigger", "oid", "tgrelid in HIDDEN"),
    catalog("pg_rewrite", "oid", "ev_class in HIDDEN"),
    catalog("pg_inherits", "inhrelid", "inhrelid in HIDDEN"),
    catalog("pg_partitioned_table", "partrelid", "partrelid in HIDDEN"),
    catalog("pg_sequence", "seqrelid", "seqrelid in HIDDEN"),
    catalog("pg_policy", "oid", ""),
    catalog("pg_type", "oid", "typnamespace in TEMPORARY or typnamespace = 99"),
    catalog("pg_enum", "oid", ""),
    catalog("pg_range", "rngtypid", ""),
    catalog("pg_proc", "oid", "pronamespace in TEMPORARY"),
    catalog("pg_aggregate", "aggfnoid", ""),
    catalog("pg_operator", "oid", ""),
    catalog("pg_opclass", "oid", ""),
    catalog("pg_opfamily", "oid", ""),
    catalog("pg_cast", "oid", ""),
    catalog("pg_collation", "oid", ""),
    catalog("pg_language", "oid", ""),
    // With the schema `public`, whose rights users change.
    Catalog {
        name: "pg_namespace",
        key: "oid",
        only: "true",
        without: "nspname ~ '^pg_(toast_)?temp_'",
        volatile: &[],
    },
    catalog("pg_default_acl", "oid", ""),
    catalog("pg_extension", "oid", ""),
    catalog("pg_event_trigger", "oid", ""),
    catalog("pg_statistic_ext", "oid", ""),
    catalog("pg_foreign_data_wrapper", "oid", ""),
    catalog("pg_foreign_server", "oid", ""),
    catalog("pg_foreign_table", "ftrelid", ""),
    catalog("pg_publication", "oid", ""),
    catalog("pg_publication_rel", "oid", ""),
    catalog("pg_ts_config", "oid", ""),
    catalog("pg_ts_dict", "oid", ""),
];

/// A row of the catalogue: which part (by its place in [`CATALOGS`]), about which object, and a hash of its content.
pub(super) type Row = (usize, u32, i64);

/// The structure of a database at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Structure(BTreeSet<Row>);

/// What a relation that holds rows is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Table,
    /// A table that a crash empties and that the log of changes does not know.
    Unlogged,
    View,
}

/// A table or materialized view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) kind: Kind,
    /// Its schema and name as they stand in SQL.
    pub(super) name: String,
    /// As people say it: `books`, `shop.books`.
    pub(super) shown: String,
    /// Its file; another one after it was truncated or written anew.
    pub(super) file: u32,
}

/// What is in a database, and in which files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// Tables and materialized views by number.
    pub(super) relations: BTreeMap<u32, Relation>,
    /// Sequences by number: name as in SQL, as people say it, and whether sessions keep numbers in stock.
    pub(super) sequences: BTreeMap<u32, Sequence>,
    /// What a file holds.
    files: BTreeMap<u32, Held>,
}

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) name: String,
    pub(super) shown: String,
    /// Do sessions keep numbers in stock?
    pub(super) stocked: bool,
}

/// What a file holds, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Rows of this relation, or long values of them.
    Rows(u32),
    /// Large objects.
    LargeObjects,
    /// Statistics, which decide no result.
    Nothing,
}

impl Structure {
    /// Reads the whole structure: some milliseconds for a hundred tables.
    pub(super) async fn read(client: &Client) -> Result<Self, StateError> {
        let parts: Vec<String> =
            CATALOGS.iter().enumerate().map(|(nth, catalog)| catalog.question(nth)).collect();
        let mut answers =
            ask(client, &parts.join(" union all ")).await.map_err(trouble("read the structure"))?;
        let row = |row: &_| (number(row, 0), number(row, 1), number(row, 2));
        Ok(Self(answers.next().iter().map(row).collect()))
    }

    /// Is there nothing that users have made?
    pub(super) fn is_bare(&self) -> bool {
        self.0.iter().all(|(_, oid, _)| *oid < FIRST_OF_USERS)
    }

    /// What is there now and was not, and what was there and is not.
    pub(super) fn differences<'s>(&'s self, now: &'s Self) -> (Vec<&'s Row>, Vec<&'s Row>) {
        (now.0.difference(&self.0).collect(), self.0.difference(&now.0).collect())
    }
}

/// The parts of the catalogue that rows are of, each once.
pub(super) fn parts(rows: &[&Row]) -> Vec<&'static str> {
    let parts: BTreeSet<usize> = rows.iter().map(|row| row.0).collect();
    parts.into_iter().map(|nth| CATALOGS[nth].name).collect()
}

/// The part of the catalogue that a row is of.
pub(super) fn part(nth: usize) -> &'static str {
    CATALOGS[nth].name
}

impl Catalog {
    fn question(&self, nth: usize) -> String {
        let mut content = "to_jsonb(t)".to_owned();
        for column in self.volatile {
            content.push_str(" - '");
            content.push_str(column);
            content.push('\'');
        }
        let only = match self.only {
            "" => format!("{} >= {FIRST_OF_USERS}", self.key),
            only => only.to_owned(),
        };
        let without = match self.without {
            "" => "false".to_owned(),
            without => without.replace("HIDDEN", HIDDEN).replace("TEMPORARY", TEMPORARY),
        };
        format!(
            "select {nth}, t.{key}::oid::int8, hashtextextended(({content})::text, 0) from pg_catalog.{name} t \
             where {only} and not ({without})",
            key = self.key,
            name = self.name,
        )
    }
}

/// The tables, views and sequences of users, with their files.
const CONTENT: &str = "\
    select c.oid, c.relkind = 'm', c.relpersistence = 'u', quote_ident(nspname) || '.' || quote_ident(relname), \
           case nspname when 'public' then '' else nspname || '.' end || relname, \
           pg_relation_filenode(c.oid), coalesce(pg_relation_filenode(nullif(c.reltoastrelid, 0)), 0) \
      from pg_class c join pg_namespace n on n.oid = relnamespace \
     where relkind in ('r', 'm') and relpersistence <> 't' and c.oid >= 16384; \
    select c.oid, quote_ident(nspname) || '.' || quote_ident(relname), \
           case nspname when 'public' then '' else nspname || '.' end || relname, seqcache > 1 \
      from pg_sequence join pg_class c on c.oid = seqrelid join pg_namespace n on n.oid = relnamespace \
     where relpersistence <> 't' order by c.oid; \
    select pg_relation_filenode(c.oid), relname like 'pg_largeobject%' \
      from pg_class c where c.oid in (2613, 2995, 2619, 3429) \
        or c.oid in (select reltoastrelid from pg_class where oid in (2619, 3429))";

impl Content {
    pub(super) async fn read(client: &Client) -> Result<Self, StateError> {
        let mut answers = ask(client, CONTENT).await.map_err(trouble("read which tables there are"))?;
        let mut content = Self::default();
        for row in answers.next() {
            let kind = match (flag(&row, 1), flag(&row, 2)) {
                (true, _) => Kind::View,
                (false, true) => Kind::Unlogged,
                (false, false) => Kind::Table,
            };
            let oid = number(&row, 0);
            let file = number(&row, 5);
            content.files.insert(file, Held::Rows(oid));
            content.files.insert(number(&row, 6), Held::Rows(oid));
            content.relations.insert(oid, Relation { kind, name: text(&row, 3), shown: text(&row, 4), file });
        }
        // What has no long values.
        content.files.remove(&0);
        for row in answers.next() {
            let sequence = Sequence { name: text(&row, 1), shown: text(&row, 2), stocked: flag(&row, 3) };
            content.sequences.insert(number(&row, 0), sequence);
        }
        for row in answers.next() {
            let held = if flag(&row, 1) { Held::LargeObjects } else { Held::Nothing };
            content.files.insert(number(&row, 0), held);
        }
        Ok(content)
    }

    /// What a file holds; none for one of the catalogue, or one that was not there when we looked.
    pub(super) fn held(&self, file: u32) -> Option<Held> {
        self.files.get(&file).copied()
    }

    /// Relations that now lie in other files: emptied or written anew.
    pub(super) fn moved(&self, now: &Self) -> BTreeSet<u32> {
        let moved = |oid: &&u32| {
            let both = self.relations.get(oid).zip(now.relations.get(oid));
            both.is_none_or(|(one, other)| one.file != other.file)
        };
        self.relations.keys().filter(moved).copied().collect()
    }
}
