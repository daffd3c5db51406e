//! HTTP, authentication, the single writer, and the publication of snapshots.
//!
//! The shell around the pure crates: it owns the clock, the randomness, the threads and the files of
//! a daemon. It decides nothing about AWS itself.

pub mod ops;
