//! Captures made by hand, through the data plane, to records.

mod golden;
mod networks;
mod support;
mod totals;
