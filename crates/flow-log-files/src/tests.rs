//! Whole files: what is written is read back, and what is damaged is told.

mod damaged;
mod parquet;
mod round_trip;
mod support;
