//! The journal of Changes and its checkpoints, in SQLite.
