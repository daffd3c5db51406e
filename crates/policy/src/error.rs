//! What is wrong with a document, in the words of PutBucketPolicy.

/// Why a document is refused when it is set. S3 answers `MalformedPolicy`, EC2 `InvalidPolicyDocument`, both with
/// status 400 and this message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing that could be a document.
    #[error("Policies must be valid JSON and the first byte must be '{{'")]
    NotAnObject,
    /// Not JSON, nested too deeply, or an object that has a name twice.
    #[error("This policy contains invalid Json")]
    InvalidJson,
    /// Longer than 20 KB.
    #[error("Normalized policy document exceeds the maximum allowed size")]
    TooLarge,
    /// Another version than the two that exist.
    #[error("The policy must contain a valid version string")]
    Version,
    /// A statement list without statements.
    #[error("Could not parse the policy: Statement is empty!")]
    EmptyStatement,
    /// An element that has to be there is not.
    #[error("Missing required field {0}")]
    MissingField(&'static str),
    /// An element that does not exist.
    #[error("Unknown field {0}")]
    UnknownField(String),
    /// An element of the wrong form, or an element together with its opposite.
    #[error("Invalid policy syntax.")]
    Syntax,
    /// Two statements with one name.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    DuplicateSid,
    /// Neither `Allow` nor `Deny`.
    #[error("Invalid effect: {0}")]
    Effect(String),
    /// A principal that cannot exist, or one with wildcards in it.
    #[error("Invalid principal in policy")]
    Principal,
    /// A principal in the policy of an identity.
    #[error("Policy document should not specify a principal.")]
    ProhibitedPrincipal,
    /// A resource in a trust policy.
    #[error("Has prohibited field Resource")]
    ProhibitedResource,
    /// An action that no action of the service matches.
    #[error("Policy has invalid action")]
    Action,
    /// Not an ARN, or one that has nothing to do with the bucket.
    #[error("Policy has invalid resource")]
    Resource,
    /// A bucket's action on objects only, or an object's on the bucket only.
    #[error("Action does not apply to any resource(s) in statement")]
    ActionWithoutResource,
    /// No such condition operator.
    #[error("Invalid Condition type : {0}")]
    ConditionOperator(String),
    /// No such condition key.
    #[error("Policy has an invalid condition key")]
    ConditionKey,
    /// A condition key that none of the actions ever has.
    #[error("Conditions do not apply to combination of actions and resources in statement")]
    ConditionWithoutAction,
    /// Neither an address nor a CIDR block.
    #[error("Invalid IP address in Conditions")]
    IpAddress,
    /// A value that the operator cannot compare with.
    #[error("Invalid value in Conditions for operator {0}")]
    ConditionValue(String),
}
