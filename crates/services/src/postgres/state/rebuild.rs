//! What to do where a test has changed the structure of a database: what it added is dropped, in place; else the
//! database is made anew from its copy, which ends the connections to it.

use super::ask::{Answers, ask, number, text, trouble};
use super::kept::KeptDatabase;
use super::original::create;
use super::sessions;
use super::structure::{self, Row};
use crate::postgres::OUR_DATABASES;
use crate::postgres::seed::{literal, quoted};
use crate::postgres::server::Server;
use crate::state::StateError;
use tokio_postgres::Client;

/// Objects that a test may have added and that can be dropped by their kind's name, in the order of dropping.
const DROPPABLE: &[&str] = &[
    "event trigger",
    "publication",
    "extension",
    "trigger",
    "rule",
    "policy",
    "materialized view",
    "view",
    "foreign table",
    "table",
    "sequence",
    "index",
    "aggregate",
    "function",
    "procedure",
    "operator",
    "cast",
    "type",
    "server",
    "foreign-data wrapper",
    "collation",
    "statistics object",
    "schema",
];

/// The parts of the catalogue whose rows are objects of their own.
const OBJECTS: &[&str] = &[
    "pg_class",
    "pg_trigger",
    "pg_rewrite",
    "pg_policy",
    "pg_type",
    "pg_proc",
    "pg_operator",
    "pg_cast",
    "pg_collation",
    "pg_namespace",
    "pg_extension",
    "pg_event_trigger",
    "pg_statistic_ext",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_publication",
];

/// Drops what was added and nothing else: all of it or nothing. Says whether that could be done.
pub(super) async fn drop_added(client: &Client, added: &[&Row]) -> Result<bool, StateError> {
    let objects = added.iter().map(|(part, oid, _)| (structure::part(*part), oid));
    let objects = objects.filter(|(part, _)| OBJECTS.contains(part));
    let objects: Vec<String> =
        objects.map(|(part, oid)| format!("('{part}'::regclass, {oid}::oid)")).collect();
    if objects.is_empty() {
        return Ok(false);
    }
    // What belongs to another object (the type of a table's rows, the sequence of a column) goes with that.
    let question = format!(
        "select o.type, o.identity from (values {}) added(part, oid), \
           pg_identify_object(added.part, added.oid, 0) o \
          where not exists (select from pg_depend where classid = added.part and objid = added.oid \
            and objsubid = 0 and deptype in ('i', 'e', 'P', 'S'))",
        objects.join(",")
    );
    let mut answers = ask(client, &question).await.map_err(trouble("name what was added"))?;
    let mut drops: Vec<(usize, String)> = Vec::new();
    for row in answers.next() {
        let (kind, identity) = (text(&row, 0), text(&row, 1));
        if let Some(nth) = DROPPABLE.iter().position(|known| *known == kind) {
            let kind = match kind.as_str() {
                "statistics object" => "statistics",
                "foreign-data wrapper" => "foreign data wrapper",
                other => other,
            };
            drops.push((nth, format!("drop {kind} if exists {identity} cascade;")));
        }
    }
    drops.sort();
    drops.dedup();
    let drops: String = drops.into_iter().map(|(_, drop)| drop).collect();
    if ask(client, &format!("begin; set local lock_timeout = '2s'; {drops} commit")).await.is_ok() {
        return Ok(true);
    }
    ask(client, "rollback").await.map_err(trouble("drop what was added")).map(|_| false)
}

/// Makes a database anew as it was kept; all its sessions end. Gives its new number.
pub(super) async fn rebuild(
    server: &Server,
    admin: &Client,
    name: &str,
    kept: &KeptDatabase,
    nth: usize,
) -> Result<u32, StateError> {
    let wrong = || trouble(format!("make the database {name} anew"));
    let (fresh, old) = (format!("{OUR_DATABASES}new_{nth}"), format!("{OUR_DATABASES}old_{nth}"));
    drop_database(admin, &fresh).await?;
    drop_database(admin, &old).await?;
    kept.original.leave().await;
    if !kept.original.is_fresh() {
        sessions::end_all(admin, &kept.original.database).await?;
    }
    let properties = &kept.properties;
    let made = create(server.major(), &fresh, &kept.original.database);
    let owner = quoted(&properties.owner);
    ask(admin, &format!("{made} owner {owner} connection limit {}", properties.limit))
        .await
        .map_err(wrong())?;
    let rights = properties.rights.as_ref().map_or_else(|| "null".to_owned(), |rights| literal(rights));
    let (is_name, is_new) =
        (format!("datname = {}", literal(name)), format!("datname = {}", literal(&fresh)));
    // What was set for the database (`alter database … set …`) is known by its number.
    let settings = format!(
        "update pg_database set datacl = {rights} where {is_new}; \
         update pg_db_role_setting set setdatabase = (select oid from pg_database where {is_new}) \
          where setdatabase = (select oid from pg_database where {is_name})"
    );
    ask(admin, &settings).await.map_err(wrong())?;
    let there =
        ask(admin, &format!("select 1 from pg_database where {is_name}")).await.map_err(wrong())?.next();
    if !there.is_empty() {
        let closed = format!("alter database {} allow_connections false", quoted(name));
        ask(admin, &closed).await.map_err(wrong())?;
        sessions::end_all(admin, name).await?;
        let away = format!("alter database {} rename to {}", quoted(name), quoted(&old));
        ask(admin, &away).await.map_err(wrong())?;
    }
    let back = format!(
        "alter database {} rename to {}; select oid from pg_database where {is_name}",
        quoted(&fresh),
        quoted(name)
    );
    let mut answers: Answers = ask(admin, &back).await.map_err(wrong())?;
    answers.next();
    let oid = answers.next().first().map(|row| number(row, 0)).unwrap_or_default();
    drop_database(admin, &old).await?;
    Ok(oid)
}

/// Drops a database, if it is there, with all its sessions.
pub(super) async fn drop_database(admin: &Client, name: &str) -> Result<(), StateError> {
    let wrong = || trouble(format!("drop the database {name}"));
    let there = format!("select 1 from pg_database where datname = {}", literal(name));
    if ask(admin, &there).await.map_err(wrong())?.next().is_empty() {
        return Ok(());
    }
    // A template cannot be dropped, and whoever is connected keeps it from being dropped.
    let closed = format!("alter database {} is_template false allow_connections false", quoted(name));
    ask(admin, &closed).await.map_err(wrong())?;
    sessions::end_all(admin, name).await?;
    ask(admin, &format!("drop database if exists {}", quoted(name))).await.map_err(wrong()).map(|_| ())
}
