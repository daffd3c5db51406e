//! The trails on disk: a row each, with how far its deliveries have come.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Scope, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::error::CloudTrailError;
use super::selector::Selectors;
use crate::sqlite;

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE trail (
        account TEXT NOT NULL, name TEXT NOT NULL, home TEXT NOT NULL, row TEXT NOT NULL,
        PRIMARY KEY (account, home, name)
    ) WITHOUT ROWID";

/// The trails of all accounts. Every method blocks on the disk.
#[derive(Debug)]
pub struct Trails {
    connection: Mutex<Connection>,
    /// One delivery at a time.
    pub(super) delivering: Mutex<()>,
}

/// A trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trail {
    pub(super) name: String,
    /// Account and home Region.
    pub(super) scope: Scope,
    pub(super) bucket: String,
    pub(super) prefix: Option<String>,
    pub(super) include_global_service_events: bool,
    pub(super) is_multi_region: bool,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) selectors: Selectors,
    pub(super) is_logging: bool,
    pub(super) started: Option<Timestamp>,
    pub(super) stopped: Option<Timestamp>,
    pub(super) latest_delivery: Option<Timestamp>,
    pub(super) latest_attempt: Option<Timestamp>,
    pub(super) latest_error: Option<String>,
    /// The last event that it has delivered, or passed over.
    pub(super) delivered: u64,
    /// A delivery that was begun: up to which event, and the time in its files' names. It is made again with the same.
    pub(super) begun: Option<(u64, Timestamp)>,
}

impl Trail {
    pub(super) fn arn(&self) -> String {
        arn(self.scope, &self.name)
    }

    /// The bucket's key up to the account.
    pub(super) fn folder(&self) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}/AWSLogs/{}/", self.scope.account),
            None => format!("AWSLogs/{}/", self.scope.account),
        }
    }
}

pub(super) fn arn(scope: Scope, name: &str) -> String {
    let Scope { account, region } = scope;
    format!("arn:aws:cloudtrail:{region}:{account}:trail/{name}")
}

impl Trails {
    pub(super) fn open_file(path: &Path) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let connection =
            sqlite::open(path, SCHEMA_VERSION, SCHEMA).map_err(std::io::Error::other)?;
        Ok(Self {
            connection: Mutex::new(connection),
            delivering: Mutex::new(()),
        })
    }

    pub(super) fn put(&self, trail: &Trail) -> Result<(), CloudTrailError> {
        self.connection().execute(
            "INSERT OR REPLACE INTO trail (account, name, home, row) VALUES (?1, ?2, ?3, ?4)",
            params![
                trail.scope.account.to_string(),
                trail.name,
                trail.scope.region.name(),
                serde_json::to_string(trail)?,
            ],
        )?;
        Ok(())
    }

    pub(super) fn get(&self, home: Scope, name: &str) -> Result<Option<Trail>, CloudTrailError> {
        let row: Option<String> = self
            .connection()
            .prepare_cached("SELECT row FROM trail WHERE account = ?1 AND home = ?2 AND name = ?3")?
            .query_row(
                params![home.account.to_string(), home.region.name(), name],
                |row| row.get(0),
            )
            .optional()?;
        Ok(row.map(|row| serde_json::from_str(&row)).transpose()?)
    }

    pub(super) fn delete(&self, trail: &Trail) -> Result<(), CloudTrailError> {
        self.connection().execute(
            "DELETE FROM trail WHERE account = ?1 AND home = ?2 AND name = ?3",
            params![
                trail.scope.account.to_string(),
                trail.scope.region.name(),
                trail.name
            ],
        )?;
        Ok(())
    }

    /// Every trail, by account, home and name.
    pub(super) fn all(&self) -> Result<Vec<Trail>, CloudTrailError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT row FROM trail ORDER BY account, home, name")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
