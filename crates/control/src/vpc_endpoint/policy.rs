//! Policies of endpoints (AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint
//! policies").

use ::policy::{Document, Kind};

use crate::Error;

/// What a gateway endpoint without a policy of its own has.
pub(super) const DEFAULT_OF_GATEWAY: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// What an interface endpoint without a policy of its own has.
pub(super) const DEFAULT_OF_INTERFACE: &str =
    r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#;

const LENGTH_MAX: usize = 20_480;

/// The policy that a request gives for a kind of endpoint, checked and as it was sent; an empty one means the default.
pub(super) fn parse(given: &Option<String>, kind: Kind<'_>) -> Result<Option<String>, Error> {
    let Some(text) = given.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let length = text.chars().count();
    if length > LENGTH_MAX {
        return Err(invalid(format!(
            "The policy has {length} characters, more than the maximum of {LENGTH_MAX}."
        )));
    }
    Document::parse(text, kind).map_err(|error| invalid(error.to_string()))?;
    Ok(Some(text.to_owned()))
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new("InvalidPolicyDocument", why)
}
