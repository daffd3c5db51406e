//! The words of Elastic Load Balancing for what EC2 says otherwise.

use model::ResourceId;

use crate::Error;

/// `ValidationError`: most of what is wrong with a request's own values.
pub(super) fn validation(message: impl Into<String>) -> Error {
    Error::new("ValidationError", message)
}

/// `InvalidConfigurationRequest`: what does not go with what there is.
pub(super) fn configuration(message: impl Into<String>) -> Error {
    Error::new("InvalidConfigurationRequest", message)
}

/// `UnsupportedOperation`: AWS has it, Weir does not.
pub(super) fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::new("UnsupportedOperation", format!("{what} is not supported."))
}

/// An error of EC2's rules in the codes of Elastic Load Balancing ("Common errors" and those of the actions).
pub(crate) fn in_its_words(error: Error) -> Error {
    let code = match &error {
        Error::NotFound(ResourceId::Subnet(_)) => "SubnetNotFound",
        Error::NotFound(ResourceId::SecurityGroup(_)) => "InvalidSecurityGroup",
        Error::NotFound(ResourceId::Allocation(_)) => "AllocationIdNotFound",
        Error::LimitExceeded { code, .. } if *code == "TagLimitExceeded" => "TooManyTags",
        Error::Other { code, .. } => match *code {
            "InsufficientFreeAddressesInSubnet" => "InvalidSubnet",
            "InvalidIPAddress.InUse" | "InvalidParameter" => "InvalidConfigurationRequest",
            "InvalidTagKey.Malformed" => "ValidationError",
            _ => return error,
        },
        Error::MissingParameter(_)
        | Error::InvalidParameterValue(_)
        | Error::InvalidParameterCombination(_)
        | Error::MalformedId(_)
        | Error::NotFound(_)
        | Error::InvalidNextToken => "ValidationError",
        _ => return error,
    };
    Error::new(code, error.to_string())
}
