//! Why a form is not a request.

/// A form that is not a request. Its text is the message that the client is told.
///
/// Codes and wording: EC2 API Reference, "Error codes for the Amazon EC2 API".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body or query string is not urlencoded text.
    #[error("The query string contains a syntax error.")]
    MalformedQueryString,
    /// No `Action`.
    #[error("The request is missing an action or a required parameter.")]
    MissingAction,
    /// An action that is not one of [`ec2_api::ACTIONS`].
    #[error("The action {0} is not valid for this web service.")]
    InvalidAction(String),
    /// A `Version` other than [`crate::VERSION`].
    #[error("The requested version ({0}) of service AmazonEC2 does not exist.")]
    NoSuchVersion(String),
    /// An action or a version that a service of the common Query protocol does not have.
    #[error("Could not find operation {action} for version {version}")]
    OperationNotFound {
        /// As it was sent.
        action: String,
        /// As it was sent, or the one that is spoken.
        version: String,
    },
    /// A parameter that the action must have.
    #[error("The request must contain the parameter {0}")]
    MissingParameter(String),
    /// A parameter that the action does not have.
    #[error("The parameter {0} is not recognized")]
    UnknownParameter(String),
    /// The same parameter a second time.
    #[error("The parameter {0} may only be specified once.")]
    RepeatedParameter(String),
    /// A value that is not of the parameter's type, or a list index out of range.
    #[error("Value ({value}) for parameter {parameter} is invalid. {expected}")]
    InvalidParameterValue {
        /// As it was sent.
        value: String,
        /// Its full name.
        parameter: String,
        /// What would have been right, as a sentence.
        expected: &'static str,
    },
}

impl Error {
    /// AWS's error code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedQueryString => "MalformedQueryString",
            Self::MissingAction => "MissingAction",
            Self::InvalidAction(_) | Self::OperationNotFound { .. } => "InvalidAction",
            Self::NoSuchVersion(_) => "NoSuchVersion",
            Self::MissingParameter(_) => "MissingParameter",
            Self::UnknownParameter(_) => "UnknownParameter",
            Self::RepeatedParameter(_) => "InvalidParameterCombination",
            Self::InvalidParameterValue { .. } => "InvalidParameterValue",
        }
    }
}
