//! What can go wrong between us and the kernel.

use std::io;

/// A failure of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused.
    #[error("{operation}: {source}")]
    System {
        /// What was being done, in words.
        operation: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The first process of a sandbox could not set it up.
    #[error("sandbox {name}: {message}")]
    Sandbox {
        /// The sandbox.
        name: String,
        /// What it said before it gave up.
        message: String,
    },
    /// A value that the kernel could never accept.
    #[error("{0}")]
    Invalid(String),
    /// Enforcement cannot be set up on this machine.
    #[error("this machine cannot enforce network isolation: {0}")]
    Enforcement(String),
    /// The uplink cannot be set up on this machine.
    #[error("the uplink cannot be set up: {0}")]
    Uplink(String),
    /// The kernel cannot carry flows on this machine.
    #[error("the kernel cannot carry flows: {0}")]
    Fabric(String),
    /// The forwarding loop has ended.
    #[error("the forwarding loop has stopped")]
    LoopStopped,
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the operation that failed.
pub(crate) trait During<T> {
    /// Wraps the error with the words of `operation`.
    fn during(self, operation: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> During<T> for std::result::Result<T, E> {
    fn during(self, operation: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::System {
            operation: operation(),
            source: source.into(),
        })
    }
}
