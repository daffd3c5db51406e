//! Resources that a call names by something else than their id: by an association, an attachment, a rule, an address or a
//! name. A denial of the resource has to hold whatever it is called.

use model::{SecurityGroup, State};

/// A resource: the noun of its ARN, and its id.
type Resource = (&'static str, String);

/// The resources behind a parameter of a call.
pub(super) fn resources_of(
    state: &State,
    operation: &str,
    name: &str,
    value: &str,
) -> Vec<Resource> {
    match name {
        "PublicIp" => address(state, value),
        "GroupName" if operation != "CreateSecurityGroup" => default_vpc_group(state, value),
        _ => match value.rsplit_once('-').map(|(prefix, _)| prefix) {
            Some("rtbassoc") => route_table(state, value),
            Some("aclassoc") => network_acl(state, value),
            Some("eipassoc") => address(state, value),
            Some("eni-attach") => interface(state, value),
            Some("vpc-cidr-assoc") => vpc(state, value),
            Some("subnet-cidr-assoc") => subnet(state, value),
            Some("scr") => reservation(state, value),
            Some("sgr") => rule(state, value),
            _ => Vec::new(),
        },
    }
}

fn route_table(state: &State, id: &str) -> Vec<Resource> {
    let tables = state.route_tables.values();
    let mut found = tables.flat_map(|t| t.associations.iter().map(move |a| (t, a)));
    let Some((table, association)) = found.find(|(_, a)| a.id.to_string() == id) else {
        return Vec::new();
    };
    let subnet = association.subnet_id.map(|id| ("subnet", id.to_string()));
    [("route-table", table.id.to_string())]
        .into_iter()
        .chain(subnet)
        .collect()
}

fn network_acl(state: &State, id: &str) -> Vec<Resource> {
    let acls = state.network_acls.values();
    let mut found = acls.flat_map(|acl| acl.associations.iter().map(move |a| (acl, a)));
    let found = found.find(|(_, a)| a.id.to_string() == id);
    found.map_or_else(Vec::new, |(acl, association)| {
        vec![
            ("network-acl", acl.id.to_string()),
            ("subnet", association.subnet_id.to_string()),
        ]
    })
}

/// By its association, or as it is written.
fn address(state: &State, text: &str) -> Vec<Resource> {
    let mut addresses = state.addresses.values();
    let found = addresses.find(|address| {
        let association = address.association.as_ref();
        address.public_ip.to_string() == text
            || association.is_some_and(|a| a.id.to_string() == text)
    });
    let id = found.map(|address| ("elastic-ip", address.allocation_id.to_string()));
    id.into_iter().collect()
}

fn interface(state: &State, id: &str) -> Vec<Resource> {
    let mut found = state.network_interfaces.values().filter_map(|interface| {
        let attachment = interface.attachment.as_ref()?;
        (attachment.id.to_string() == id).then_some((interface.id, attachment.instance_id))
    });
    found.next().map_or_else(Vec::new, |(interface, instance)| {
        vec![
            ("network-interface", interface.to_string()),
            ("instance", instance.to_string()),
        ]
    })
}

fn vpc(state: &State, id: &str) -> Vec<Resource> {
    let found = state.vpcs.values().find(|vpc| {
        let v4 = vpc.cidr_blocks.iter().map(|block| block.association_id);
        let v6 = vpc
            .ipv6_cidr_blocks
            .iter()
            .map(|block| block.association_id);
        v4.chain(v6)
            .any(|association| association.to_string() == id)
    });
    let id = found.map(|vpc| ("vpc", vpc.id.to_string()));
    id.into_iter().collect()
}

fn subnet(state: &State, id: &str) -> Vec<Resource> {
    let mut subnets = state.subnets.values();
    let found = subnets.find(|subnet| {
        let mut blocks = subnet.ipv6_cidr_blocks.iter();
        blocks.any(|block| block.association_id.to_string() == id)
    });
    let id = found.map(|subnet| ("subnet", subnet.id.to_string()));
    id.into_iter().collect()
}

fn reservation(state: &State, id: &str) -> Vec<Resource> {
    let reservation = id.parse().ok();
    let reservation = reservation.and_then(|id| state.subnet_cidr_reservations.get(&id));
    let subnet = reservation.map(|row| ("subnet", row.subnet_id.to_string()));
    subnet.into_iter().collect()
}

fn rule(state: &State, id: &str) -> Vec<Resource> {
    let has = |group: &&SecurityGroup| group.rules.iter().any(|rule| rule.id.to_string() == id);
    let group = state.security_groups.values().find(has);
    let id = group.map(|group| ("security-group", group.id.to_string()));
    id.into_iter().collect()
}

/// A name alone is that of a group of the default VPC.
fn default_vpc_group(state: &State, name: &str) -> Vec<Resource> {
    let vpc = state.vpcs.values().find(|vpc| vpc.is_default);
    let of_name = |group: &&SecurityGroup| {
        group.name == name && vpc.is_some_and(|vpc| vpc.id == group.vpc_id)
    };
    let group = state.security_groups.values().find(of_name);
    let id = group.map(|group| ("security-group", group.id.to_string()));
    id.into_iter().collect()
}
