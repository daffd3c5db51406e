//! Who is meant by an id or a name.

use std::net::IpAddr;

use model::{NetworkInterface, ResourceId, State, Tags, World};

use crate::weir::Refusal;

/// The network interfaces of whoever is meant, the primary one first: `eni-…`, `i-…`, what the tag Name of an instance or
/// interface says, or a private DNS name (Amazon EC2 User Guide, "EC2 instance hostnames and domains").
///
/// # Errors
///
/// If that is nobody, or several.
pub(crate) fn interfaces<'w>(
    world: &'w World,
    text: &str,
) -> Result<Vec<&'w NetworkInterface>, Refusal> {
    let mut found: Vec<Vec<&NetworkInterface>> = Vec::new();
    for (scope, state) in &world.regions {
        let name = text.strip_suffix('.').unwrap_or(text);
        let domain = scope.region.private_domain();
        let host = name
            .strip_suffix(&domain)
            .and_then(|name| name.strip_suffix('.'));
        found.extend(in_region(state, text, host));
    }
    found.retain(|interfaces| !interfaces.is_empty());
    let several = found.len() > 1;
    match found.pop() {
        Some(last) if several => Err(ambiguous(text, &found, &last)),
        Some(interfaces) => Ok(interfaces),
        None => Err(unknown(text)),
    }
}

/// Nobody is meant.
pub(crate) fn unknown(text: &str) -> Refusal {
    Refusal::new(
        "InvalidParameterValue",
        format!("'{text}' is no instance with an interface, no interface and no internet host."),
    )
}

/// Everybody in a Region whom a text may mean; `host` is what it has before the Region's private domain.
fn in_region<'s>(
    state: &'s State,
    text: &str,
    host: Option<&str>,
) -> Vec<Vec<&'s NetworkInterface>> {
    let alone = |eni: Option<&'s NetworkInterface>| eni.into_iter().collect::<Vec<_>>();
    match host.unwrap_or(text).parse::<ResourceId>() {
        Ok(ResourceId::NetworkInterface(id)) if host.is_none() => {
            return vec![alone(state.network_interfaces.get(&id))];
        }
        Ok(ResourceId::Instance(id)) => return vec![state.interfaces_of(id)],
        _ => {}
    }
    if let Some(address) = host.and_then(address_of) {
        let has = |eni: &&NetworkInterface| eni.addresses().any(|own| own == address);
        let holders = state.network_interfaces.values().filter(has);
        return holders.map(|eni| vec![eni]).collect();
    }
    let is_named = |tags: &Tags| tags.get("Name").is_some_and(|name| name == text);
    let instances = state.instances.values();
    let instances: Vec<_> = instances
        .filter(|instance| is_named(&instance.tags))
        .map(|instance| state.interfaces_of(instance.id))
        .collect();
    let is_of_one = |eni: &NetworkInterface| instances.iter().flatten().any(|of| of.id == eni.id);
    let interfaces = state.network_interfaces.values();
    let others: Vec<_> = interfaces
        .filter(|eni| is_named(&eni.tags) && !is_of_one(eni))
        .map(|eni| vec![eni])
        .collect();
    instances.into_iter().chain(others).collect()
}

/// The address in `ip-10-0-0-5`.
fn address_of(host: &str) -> Option<IpAddr> {
    let numbers = host.strip_prefix("ip-")?.replace('-', ".");
    numbers.parse().ok().map(IpAddr::V4)
}

fn ambiguous(text: &str, others: &[Vec<&NetworkInterface>], last: &[&NetworkInterface]) -> Refusal {
    let all = others.iter().map(Vec::as_slice).chain([last]);
    let names: Vec<String> = all
        .filter_map(|interfaces| {
            let first = interfaces.first()?;
            let instance = first.instance_id().map(|id| id.to_string());
            Some(instance.unwrap_or_else(|| first.id.to_string()))
        })
        .collect();
    Refusal::new(
        "InvalidParameterValue",
        format!("'{text}' is the name of several: {}.", names.join(", ")),
    )
}
