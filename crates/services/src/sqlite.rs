//! Opening SQLite so that it is durable, small and quick to start.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

/// Opens `path` in WAL mode and applies `schema` when the file is new.
pub(crate) fn open(path: &Path, version: i64, schema: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // 512 KiB of page cache keep the daemon small.
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA journal_mode = WAL; PRAGMA cache_size = -512;
         PRAGMA journal_size_limit = 4194304; PRAGMA foreign_keys = ON;",
    )?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {version}; COMMIT;"
        ))?;
    } else if found != version {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_MISMATCH),
            Some(format!(
                "the file has schema version {found}, this program knows {version}"
            )),
        ));
    }
    // From here on an answered write survives a power cut; the schema of a new file need not.
    connection.execute_batch("PRAGMA synchronous = FULL;")?;
    Ok(connection)
}

/// Whether trying again later may help: the disk is full or the file is locked.
pub(crate) fn is_temporary(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
