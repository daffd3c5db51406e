//! The errors of CloudTrail; their text is the message that clients see.

use crate::json::JsonResponse;
use crate::sqlite;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CloudTrailError {
    /// The caller's fault: an error of the API and its message.
    #[error("{1}")]
    Refused(&'static str, String),
    /// Trying again may help.
    #[error("The service cannot complete the request.")]
    Unavailable,
    /// The database is broken.
    #[error("The request processing has failed because of an unknown error, exception or failure.")]
    Internal,
}

impl CloudTrailError {
    pub(crate) fn new(error_type: &'static str, message: impl Into<String>) -> Self {
        Self::Refused(error_type, message.into())
    }

    pub(crate) fn response(&self) -> JsonResponse {
        let (status, error_type) = match self {
            Self::Refused(error_type, _) => (400, *error_type),
            Self::Unavailable => (503, "ServiceUnavailableException"),
            Self::Internal => (500, "InternalFailure"),
        };
        JsonResponse::error(status, error_type, &self.to_string())
    }

    /// The history could not be read.
    pub(crate) fn history(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "the event history cannot be read");
        Self::Internal
    }
}

impl From<rusqlite::Error> for CloudTrailError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "CloudTrail database");
        if sqlite::is_temporary(&error) {
            Self::Unavailable
        } else {
            Self::Internal
        }
    }
}

impl From<serde_json::Error> for CloudTrailError {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "a trail's row is damaged");
        Self::Internal
    }
}
