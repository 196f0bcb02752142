//! The only gate to the database: SQL is written in this folder and nowhere else. Knows rows, not rules.
//!
//! One connection, so one writer: SQLite has no more to give, and everything asked on every request is answered
//! from memory by the rooms. A commit is on the disk when it returns.

pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod browsers;
pub(crate) mod devices;
pub(crate) mod drops;
pub(crate) mod grants;
pub(crate) mod invites;
pub(crate) mod owner;
pub(crate) mod pairings;
pub(crate) mod presence;
pub(crate) mod principals;
pub(crate) mod remote_shares;
pub(crate) mod rooms;
pub(crate) mod sessions;
pub(crate) mod shares;
pub(crate) mod transfers;
pub(crate) mod trusted_senders;

use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::keyfile;

/// The database's name in the state folder.
pub(crate) const FILE_NAME: &str = "lanthorn.db";
/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for the one connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The database could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the database cannot be brought up to date")]
    Migrate(#[source] MigrateError),
    /// A later version of this program has been here.
    #[error(
        "the database is of a newer Lanthorn; run that version again, or restore a backup from before it"
    )]
    Newer,
    /// The file could not be made private.
    #[error("cannot make the database file")]
    File(#[from] io::Error),
    /// The file or its folder can be touched by others.
    #[error(transparent)]
    Private(#[from] keyfile::KeyFileError),
    /// A row holds what cannot have been written by this program.
    #[error("the database holds a broken {0}")]
    Row(&'static str),
}

/// The open database.
#[derive(Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) => Self::Newer,
            error => Self::Migrate(error),
        }
    }
}

impl Store {
    /// Opens the database in the state folder, makes it if missing (0600), and brings its tables up to date.
    pub(crate) async fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        make_private_file(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        sqlx::migrate!("src/store/migrations").run(&pool).await?;
        keyfile::sync_folder_of(&path)?;
        Ok(Self { pool })
    }

    /// Writes out and closes: what a tidy end of the process does.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// SQLite gives its side files the mode of the main one, so the main one is made first, and private.
fn make_private_file(path: &Path) -> Result<(), StoreError> {
    match keyfile::create_private(path) {
        Ok(_) => Ok(keyfile::sync_folder_of(path)?),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(keyfile::check_private(path)?),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused_and_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (9999, 'of a later version', TRUE, x'00', 1)";
        sqlx::query(later).execute(&store.pool).await.unwrap();
        store.close().await;
        let refused = Store::open(dir.path()).await.err().unwrap();
        assert!(matches!(refused, StoreError::Newer), "{refused:?}");
        assert!(refused.to_string().contains("newer Lanthorn"), "{refused}");
    }
}
