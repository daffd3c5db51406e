//! Names of load balancers and target groups ("CreateLoadBalancer", "CreateTargetGroup").

use super::error::validation;
use crate::Error;

const NAME_MAX: usize = 32;

/// A name of up to 32 letters, digits and hyphens; `noun` is what it is for.
pub(super) fn check<'a>(name: &'a Option<String>, noun: &str) -> Result<&'a str, Error> {
    let name = name.as_deref().unwrap_or_default();
    let wrong = if name.is_empty() {
        format!("A {noun} name must be specified")
    } else if name.len() > NAME_MAX {
        format!(
            "{} name '{name}' cannot be longer than '{NAME_MAX}' characters",
            capital(noun)
        )
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        format!(
            "{} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)",
            capital(noun)
        )
    } else if name.starts_with('-') || name.ends_with('-') {
        format!(
            "{} name '{name}' cannot begin or end with '-'",
            capital(noun)
        )
    } else if noun == "load balancer" && name.starts_with("internal-") {
        format!("The load balancer name '{name}' cannot begin with 'internal-'")
    } else {
        return Ok(name);
    };
    Err(validation(wrong))
}

fn capital(noun: &str) -> String {
    let (first, rest) = noun.split_at(1);
    first.to_ascii_uppercase() + rest
}
