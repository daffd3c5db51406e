//! Tests of the walk from samples to lines.

mod aggregation;
mod fields;
mod grouping;
mod lab;
mod lines;
mod support;
mod worked_records;
