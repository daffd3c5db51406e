//! Why a flow-log record says what it says.
//!
//! [`explain`] takes a record with what the data plane decided, the world of that moment and what has changed since. It asks
//! the data plane's own code which rule, entry, route and gateway decided, reads them as they stood, and says what became
//! of them. [`Asked`] reads records that somebody pastes. It never reads a file or the time, and it decides nothing: there
//! is no rule of AWS's in this crate.

mod advice;
mod answer;
mod asked;
mod cause;
mod decision;
mod since;
mod verdict;
mod why;

pub use answer::answered;
pub use asked::{Asked, Malformed, asked};
pub use cause::Cause;
pub use decision::Decision;
pub use since::{Changed, Later, Now};
pub use why::{Question, Why, explain, explain_alone, moment_before};

#[cfg(test)]
mod tests;
