//! What every form of a Query protocol has: an action, a version and the action's parameters.

use crate::Error;
use crate::decode::Node;

/// Most parameters in one request.
const MAX_PARAMETERS: usize = 20_000;

/// A form whose action is yet to be read.
pub(crate) struct Parameters<'a> {
    pub(crate) action: &'a str,
    pub(crate) version: Option<&'a str>,
    /// The action's own parameters.
    pub(crate) root: Node<'a>,
}

/// Tells the action's parameters from those that every action has.
pub(crate) fn read(form: &[(String, String)]) -> Result<Parameters<'_>, Error> {
    if form.len() > MAX_PARAMETERS {
        return Err(Error::MalformedQueryString);
    }
    let mut root = Node::default();
    let (mut action, mut version) = (None, None);
    for (name, value) in form {
        let once = match name.as_str() {
            "Action" => action.replace(value.as_str()).is_none(),
            "Version" => version.replace(value.as_str()).is_none(),
            common if is_common(common) => true,
            _ => root.insert(name, value)?,
        };
        if !once {
            return Err(Error::RepeatedParameter(name.clone()));
        }
    }
    let action = action
        .filter(|name| !name.is_empty())
        .ok_or(Error::MissingAction)?;
    Ok(Parameters {
        action,
        version,
        root,
    })
}

/// Parameters that belong to authentication, which every action takes (EC2 API Reference, "Common query
/// parameters").
fn is_common(name: &str) -> bool {
    const COMMON: &[&str] = &[
        "AWSAccessKeyId",
        "Expires",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "Timestamp",
    ];
    COMMON.contains(&name) || name.starts_with("X-Amz-")
}
