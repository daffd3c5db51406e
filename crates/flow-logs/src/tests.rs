//! Tests of the walk from samples to lines.

mod aggregation;
mod lines;
mod records;
mod support;
