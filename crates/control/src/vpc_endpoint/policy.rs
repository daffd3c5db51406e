//! Policies of endpoints (AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint
//! policies").

use crate::Error;

/// What a gateway endpoint without a policy of its own has.
pub(super) const DEFAULT_OF_GATEWAY: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

const LENGTH_MAX: usize = 20_480;

/// The policy that a request gives, as it was sent; an empty one means the default.
pub(super) fn parse(given: &Option<String>) -> Result<Option<String>, Error> {
    let Some(text) = given.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let length = text.chars().count();
    if length > LENGTH_MAX {
        return Err(invalid(format!(
            "The policy has {length} characters, more than the maximum of {LENGTH_MAX}."
        )));
    }
    Ok(Some(text.to_owned()))
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new("InvalidPolicyDocument", why)
}
