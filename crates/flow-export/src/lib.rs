//! Flow records for others than AWS's readers: JSON lines, OCSF Network Activity events, and IPFIX messages.
//!
//! Encoders are functions of records: they never read the time, a file or a socket.

pub mod ipfix;
mod json;
mod ocsf;

pub use json::json;
pub use ocsf::ocsf;

#[cfg(test)]
mod tests;
