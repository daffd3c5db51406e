//! Whole files: what is written is read back, and what is damaged is told.

mod damaged;
mod hostile;
mod parquet;
mod round_trip;
mod support;
