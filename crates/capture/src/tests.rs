//! Captures made by hand.

mod links;
mod reading;
mod support;
