//! What a kept database is restored from: a copy of its files, made while nothing is written.
//!
//! ```text
//! base/16384  the database `stock`, in use           _seam_empty: a database without files,
//!      │ files copied, after everything is written        made once when the server was prepared
//!      ▼                                                  │ create database ... template
//! base/24601  the database `_seam_kept_1` ◀────────────────┘
//! ```
//!
//! PostgreSQL copies a database only while nobody is connected to it, but the components are. Copying the files
//! below it is what PostgreSQL itself does, and just as safe while nothing writes: the new database is known to the
//! server beforehand, which writes all that it has in memory before it makes one, and no session has been in it.
//! Whether somebody wrote meanwhile, the log of changes tells.

use super::ask::{ask, number, sign_in, trouble};
use crate::places::Places;
use crate::postgres::copy::{self, Source};
use crate::postgres::seed::{literal, quoted};
use crate::postgres::server::Server;
use crate::postgres::{EMPTY, FRESH};
use crate::state::StateError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use tokio_postgres::Client;

/// Names of databases that nobody needs any more.
pub(super) type Doomed = Arc<Mutex<Vec<String>>>;

/// Where copies are made.
pub(super) struct Ground<'g> {
    pub(super) server: &'g Server,
    pub(super) places: &'g Places,
    pub(super) admin: &'g Client,
}

/// A copy of a database. Several kept states share it as long as nothing was written between them.
pub(super) struct Original {
    /// The database that it is.
    pub(super) database: String,
    /// A session in it, once rows were asked for.
    session: AsyncMutex<Option<Client>>,
    /// Where its name goes when nobody needs it; none for a database of the server's own.
    doomed: Option<Doomed>,
}

impl Original {
    /// What a database without tables and the like is restored from.
    pub(super) fn fresh() -> Self {
        Self { database: FRESH.to_owned(), session: AsyncMutex::new(None), doomed: None }
    }

    /// A session in it; never for [`Original::fresh`], which has no rows.
    pub(super) async fn session(
        &self,
        server: &Server,
    ) -> Result<MutexGuard<'_, Option<Client>>, StateError> {
        let mut session = self.session.lock().await;
        if session.as_ref().is_none_or(Client::is_closed) {
            *session = Some(sign_in(server, &self.database).await?);
        }
        Ok(session)
    }

    /// Has it no rows at all?
    pub(super) fn is_fresh(&self) -> bool {
        self.doomed.is_none()
    }

    /// Ends our session in it: it is about to be copied or dropped.
    pub(super) async fn leave(&self) {
        *self.session.lock().await = None;
    }
}

impl Ground<'_> {
    /// Copies the database of a number as the database `name`.
    pub(super) async fn copy(
        &self,
        source: u32,
        name: &str,
        doomed: &Doomed,
    ) -> Result<Original, StateError> {
        let wrong = || trouble(format!("make the database {name}"));
        let made = create(self.server.major(), name, EMPTY);
        ask(self.admin, &format!("{made} allow_connections false")).await.map_err(wrong())?;
        // From here on it is dropped, whatever happens.
        let original = Original {
            database: name.to_owned(),
            session: AsyncMutex::new(None),
            doomed: Some(Arc::clone(doomed)),
        };
        let oid = format!("select oid from pg_database where datname = {}", literal(name));
        let rows = ask(self.admin, &oid).await.map_err(wrong())?.next();
        let oid: u32 = rows.first().map(|row| number(row, 0)).unwrap_or_default();
        let (data, places) = (self.server.data.clone(), self.places.clone());
        let copied = tokio::task::spawn_blocking(move || copy_files(&data, source, oid, &places)).await;
        copied.map_err(io::Error::other).flatten().map_err(|source| StateError::Refused {
            what: format!("copy the files of a database: {source}"),
            source: Box::new(source),
        })?;
        ask(self.admin, &adopt(source, oid)).await.map_err(wrong())?;
        Ok(original)
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        if let Some(doomed) = &self.doomed {
            let name = std::mem::take(&mut self.database);
            doomed.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        }
    }
}

/// The statement that makes a database from another one by copying its files, to which options can be added.
pub(super) fn create(major: u32, name: &str, template: &str) -> String {
    // Before 15 there was no other way. With 15 came one by pages, which is slower where nothing is flushed.
    let strategy = if major >= 15 { "strategy file_copy" } else { "" };
    format!("create database {} template {} {strategy}", quoted(name), quoted(template))
}

/// What the server knows about a database besides its files: how texts are ordered in it, and who owns what.
fn adopt(source: u32, copy: u32) -> String {
    let columns = "array['encoding', 'datcollate', 'datctype', 'datlocprovider', 'daticulocale', 'datlocale', \
                   'daticurules', 'datcollversion', 'datfrozenxid', 'datminmxid']";
    format!(
        "do $do$ declare list text; begin \
           select string_agg(quote_ident(attname) || ' = s.' || quote_ident(attname), ', ') into list \
             from pg_attribute where attrelid = 'pg_database'::regclass and attname = any({columns}); \
           execute 'update pg_database d set datallowconn = true, ' || list || \
             ' from pg_database s where s.oid = {source} and d.oid = {copy}'; \
         end $do$; \
         insert into pg_shdepend select {copy}, classid, objid, objsubid, refclassid, refobjid, deptype \
           from pg_shdepend where dbid = {source}"
    )
}

/// Puts the files of one database in place of another's, in all tablespaces.
fn copy_files(data: &Path, source: u32, target: u32, places: &Places) -> io::Result<()> {
    for root in roots(data)? {
        let (from, to) = (root.join(source.to_string()), root.join(target.to_string()));
        if !from.is_dir() {
            continue;
        }
        match fs::remove_dir_all(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => copy::copy_tree(&from, &to, Source::Living, places)?,
        };
    }
    Ok(())
}

/// The folders that hold databases: `base`, and one in each tablespace.
fn roots(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut roots = vec![data.join("base")];
    for space in fs::read_dir(data.join("pg_tblspc"))? {
        for version in fs::read_dir(space?.path())? {
            roots.push(version?.path());
        }
    }
    Ok(roots)
}
