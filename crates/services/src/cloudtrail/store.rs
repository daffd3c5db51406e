//! The trails, on disk and in memory: a row each, with how far its deliveries have come.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use model::{Region, Scope, Timestamp};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::digest::DigestChain;
use super::error::CloudTrailError;
use super::selector::Selectors;
use super::signing_key::{self, SigningKeys};
use crate::sqlite;

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE trail (
        account TEXT NOT NULL, name TEXT NOT NULL, home TEXT NOT NULL, row TEXT NOT NULL,
        PRIMARY KEY (account, home, name)
    ) WITHOUT ROWID";

/// The trails of all accounts. Changes block on the disk; reading, which calls through endpoints do, does not.
#[derive(Debug)]
pub struct Trails {
    connection: Mutex<Connection>,
    held: RwLock<BTreeMap<(Scope, String), Trail>>,
    signing_keys: Mutex<SigningKeys>,
    /// Held by whoever reads a trail in order to change it: a call, or a delivery.
    changing: Mutex<()>,
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
    /// Whether digest files are written (`EnableLogFileValidation`).
    #[serde(default)]
    pub(super) is_validated: bool,
    /// Of Regions from which the trail has delivered something, and the home Region.
    #[serde(default)]
    pub(super) digests: BTreeMap<Region, DigestChain>,
    #[serde(default)]
    pub(super) latest_digest: Option<Timestamp>,
    #[serde(default)]
    pub(super) latest_digest_error: Option<String>,
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

    /// The key of a file of a kind, of a Region and day, as far as all files have it alike.
    pub(super) fn file_of(&self, kind: &str, region: Region, at: Timestamp) -> String {
        let (folder, account, day) = (self.folder(), self.scope.account, at.calendar());
        format!(
            "{folder}{kind}/{region}/{:04}/{:02}/{:02}/{account}_{kind}_{region}_",
            day.year, day.month, day.day
        )
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
        let keys = connection
            .execute_batch(signing_key::SCHEMA)
            .and_then(|()| signing_key::read(&connection))
            .map_err(std::io::Error::other)?;
        let held = read(&connection).map_err(std::io::Error::other)?;
        Ok(Self {
            connection: Mutex::new(connection),
            held: RwLock::new(held),
            signing_keys: Mutex::new(keys),
            changing: Mutex::new(()),
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
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.insert((trail.scope, trail.name.clone()), trail.clone());
        Ok(())
    }

    pub(super) fn get(&self, home: Scope, name: &str) -> Option<Trail> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.get(&(home, name.to_owned())).cloned()
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
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.remove(&(trail.scope, trail.name.clone()));
        Ok(())
    }

    /// Every trail that passes the test, by account, home and name.
    pub(super) fn all(&self, test: impl Fn(&Trail) -> bool) -> Vec<Trail> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.values().filter(|trail| test(trail)).cloned().collect()
    }

    /// Whether any trail passes the test.
    pub(super) fn any(&self, test: impl Fn(&Trail) -> bool) -> bool {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.values().any(test)
    }

    /// Waits until nobody else changes a trail: a change during a delivery would be undone at its end.
    pub(super) fn change_alone(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn signing_keys(&self) -> MutexGuard<'_, SigningKeys> {
        self.signing_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(connection: &Connection) -> Result<BTreeMap<(Scope, String), Trail>, CloudTrailError> {
    let mut statement = connection.prepare("SELECT row FROM trail")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|row| {
        let trail: Trail = serde_json::from_str(&row?)?;
        Ok(((trail.scope, trail.name.clone()), trail))
    })
    .collect()
}
