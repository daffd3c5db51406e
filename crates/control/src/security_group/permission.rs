//! `IpPermissions`: many rules with one protocol and port range in one structure.

use ec2_api::{IpPermission, IpRange, Ipv6Range, UserIdGroupPair};
use model::{
    IpProtocol, PeeredGroup, PortRange, PrefixListId, RulePeer, SecurityGroup, SecurityGroupId,
    SecurityGroupRule, Vpc, VpcId,
};

use super::reference;
use crate::{Error, Transaction, parameter, prefix_list};

const DESCRIPTION_MAX: usize = 255;

/// One rule that a request means.
pub(super) struct Permission {
    pub(super) protocol: IpProtocol,
    pub(super) ports: Option<PortRange>,
    pub(super) peer: RulePeer,
    pub(super) peered: Option<PeeredGroup>,
    pub(super) description: Option<String>,
}

/// The rule parameters of a request, which come as a list or flat.
pub(super) struct Given<'a> {
    pub(super) permissions: &'a [IpPermission],
    pub(super) ip_protocol: &'a Option<String>,
    pub(super) from_port: Option<i32>,
    pub(super) to_port: Option<i32>,
    pub(super) cidr_ip: &'a Option<String>,
    pub(super) source_group_name: &'a Option<String>,
    pub(super) source_group_owner: &'a Option<String>,
}

/// Reads the rule parameters of any Authorize or Revoke request.
macro_rules! given {
    ($request:ident) => {
        $crate::security_group::permission::Given {
            permissions: &$request.ip_permissions,
            ip_protocol: &$request.ip_protocol,
            from_port: $request.from_port,
            to_port: $request.to_port,
            cidr_ip: &$request.cidr_ip,
            source_group_name: &$request.source_security_group_name,
            source_group_owner: &$request.source_security_group_owner_id,
        }
    };
}
pub(super) use given;

impl Given<'_> {
    /// Whether the request has flat parameters.
    fn is_flat(&self) -> bool {
        self.ip_protocol.is_some()
            || self.from_port.is_some()
            || self.to_port.is_some()
            || self.cidr_ip.is_some()
            || self.source_group_name.is_some()
            || self.source_group_owner.is_some()
    }

    /// Whether the request has no rule parameters at all.
    pub(super) fn is_empty(&self) -> bool {
        self.permissions.is_empty() && !self.is_flat()
    }

    /// The list, or the flat parameters as a list of one.
    pub(super) fn list(&self) -> Result<Vec<IpPermission>, Error> {
        if !self.is_flat() {
            if self.permissions.is_empty() {
                return Err(Error::MissingParameter("ipPermissions"));
            }
            return Ok(self.permissions.to_vec());
        }
        if !self.permissions.is_empty() {
            return Err(Error::InvalidParameterCombination(
                "The parameter ipPermissions cannot be used with the parameters of a single rule"
                    .to_owned(),
            ));
        }
        let range = |cidr: &String| IpRange {
            cidr_ip: Some(cidr.clone()),
            description: None,
        };
        let pair = |name: &String| UserIdGroupPair {
            group_name: Some(name.clone()),
            user_id: self.source_group_owner.clone(),
            ..Default::default()
        };
        // A source group without a protocol means all traffic from it.
        let all = self
            .source_group_name
            .as_ref()
            .filter(|_| self.ip_protocol.is_none())
            .map(|_| "-1".to_owned());
        Ok(vec![IpPermission {
            ip_protocol: self.ip_protocol.clone().or(all),
            from_port: self.from_port,
            to_port: self.to_port,
            user_id_group_pairs: self.source_group_name.iter().map(pair).collect(),
            ip_ranges: self.cidr_ip.iter().map(range).collect(),
            ..Default::default()
        }])
    }
}

/// The rules that a permission means, each with the part of the permission that means it.
///
/// `existing` tells whether groups and prefix lists that rules refer to must exist.
pub(super) fn parse(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    permission: &IpPermission,
    existing: bool,
) -> Result<Vec<(Permission, IpPermission)>, Error> {
    let protocol = protocol(permission.ip_protocol.as_deref())?;
    let ports = ports(protocol, permission.from_port, permission.to_port)?;
    let bare = IpPermission {
        ip_protocol: permission.ip_protocol.clone(),
        from_port: permission.from_port,
        to_port: permission.to_port,
        ..Default::default()
    };
    let mut parsed = Vec::new();
    let mut add = |(peer, peered), description: &Option<String>, part| -> Result<(), Error> {
        let description = check_description(description)?;
        let rule = Permission {
            protocol,
            ports,
            peer,
            peered,
            description,
        };
        parsed.push((rule, part));
        Ok(())
    };
    for range in &permission.ip_ranges {
        let text = parameter::required(&range.cidr_ip, "cidrIp")?;
        let net = parameter::ipv4_net(text, "cidrIp").map_err(|_| malformed_block(text))?;
        let part = IpPermission {
            ip_ranges: vec![range.clone()],
            ..bare.clone()
        };
        add((RulePeer::Ipv4(net), None), &range.description, part)?;
    }
    for range in &permission.ipv6_ranges {
        let text = parameter::required(&range.cidr_ipv6, "cidrIpv6")?;
        let net = parameter::ipv6_net(text, "cidrIpv6").map_err(|_| malformed_block(text))?;
        let part = IpPermission {
            ipv6_ranges: vec![range.clone()],
            ..bare.clone()
        };
        add((RulePeer::Ipv6(net), None), &range.description, part)?;
    }
    for pair in &permission.user_id_group_pairs {
        let part = IpPermission {
            user_id_group_pairs: vec![pair.clone()],
            ..bare.clone()
        };
        add(
            reference::parse(tx, vpc_id, pair, existing)?,
            &pair.description,
            part,
        )?;
    }
    for list in &permission.prefix_list_ids {
        let id: PrefixListId = parameter::id(&list.prefix_list_id, "prefixListId")?;
        if existing {
            prefix_list::find(tx, id)?;
        }
        let part = IpPermission {
            prefix_list_ids: vec![list.clone()],
            ..bare.clone()
        };
        add((RulePeer::PrefixList(id), None), &list.description, part)?;
    }
    if parsed.is_empty() {
        return Err(Error::MissingParameter("ipRanges"));
    }
    Ok(parsed)
}

fn malformed_block(text: &str) -> Error {
    Error::InvalidParameterValue(format!("CIDR block {text} is malformed"))
}

pub(super) fn check_description(description: &Option<String>) -> Result<Option<String>, Error> {
    let Some(text) = description.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > DESCRIPTION_MAX {
        return Err(Error::invalid_value(
            "description",
            text,
            "A description may have up to 255 characters.",
        ));
    }
    Ok(Some(text.to_owned()))
}

fn protocol(text: Option<&str>) -> Result<IpProtocol, Error> {
    let Some(text) = text else {
        return Err(Error::InvalidParameterValue(
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols \
             explicitly."
                .to_owned(),
        ));
    };
    match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => Ok(IpProtocol::All),
        "tcp" => Ok(IpProtocol::TCP),
        "udp" => Ok(IpProtocol::UDP),
        "icmp" => Ok(IpProtocol::ICMP),
        "icmpv6" => Ok(IpProtocol::ICMPV6),
        number => number.parse().map(IpProtocol::Number).map_err(|_| {
            Error::InvalidParameterValue(format!(
                "Invalid value '{text}' for IP protocol. Unknown protocol."
            ))
        }),
    }
}

fn ports(
    protocol: IpProtocol,
    from: Option<i32>,
    to: Option<i32>,
) -> Result<Option<PortRange>, Error> {
    let refuse = |message: String| Err(Error::InvalidParameterValue(message));
    if protocol.has_ports() {
        let (Some(from), Some(to)) = (from, to) else {
            return refuse(
                "Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
                    .to_owned(),
            );
        };
        if let Some(port) = [from, to].iter().find(|p| !(0..=65_535).contains(*p)) {
            return refuse(format!("TCP/UDP port ({port}) out of range"));
        }
        if from > to {
            let name = protocol.to_string().to_uppercase();
            return refuse(format!("Invalid {name} port range ({from}:{to})"));
        }
        Ok(Some(PortRange { from, to }))
    } else if protocol.is_icmp() {
        let (from, to) = (from.unwrap_or(-1), to.unwrap_or(-1));
        if let Some(number) = [from, to].iter().find(|n| !(-1..=255).contains(*n)) {
            return refuse(format!("ICMP code or type ({number}) out of range"));
        }
        if from == -1 && to != -1 {
            return refuse(format!(
                "ICMP code ({to}) must be -1 when the ICMP type is -1"
            ));
        }
        Ok(Some(PortRange { from, to }))
    } else {
        Ok(None)
    }
}

/// Rules as a list of permissions, one for each protocol and port range.
pub(super) fn grouped<'a>(
    tx: &Transaction<'_>,
    group: &SecurityGroup,
    rules: impl Iterator<Item = &'a SecurityGroupRule>,
) -> Vec<IpPermission> {
    let with_names = tx.find::<Vpc>(group.vpc_id).is_ok_and(|vpc| vpc.is_default);
    let mut permissions: Vec<((IpProtocol, Option<PortRange>), IpPermission)> = Vec::new();
    for rule in rules {
        let key = (rule.protocol, rule.ports);
        let at = match permissions.iter().position(|(own, _)| *own == key) {
            Some(at) => at,
            None => {
                let permission = IpPermission {
                    ip_protocol: Some(rule.protocol.to_string()),
                    from_port: rule.ports.map(|p| p.from),
                    to_port: rule.ports.map(|p| p.to),
                    ..Default::default()
                };
                permissions.push((key, permission));
                permissions.len() - 1
            }
        };
        add_peer(tx, (group.vpc_id, with_names), &mut permissions[at].1, rule);
    }
    permissions.into_iter().map(|(_, p)| p).collect()
}

fn add_peer(
    tx: &Transaction<'_>,
    (group_vpc_id, with_names): (VpcId, bool),
    permission: &mut IpPermission,
    rule: &SecurityGroupRule,
) {
    let description = rule.description.clone();
    match rule.peer {
        RulePeer::Ipv4(net) => permission.ip_ranges.push(IpRange {
            description,
            cidr_ip: Some(net.to_string()),
        }),
        RulePeer::Ipv6(net) => permission.ipv6_ranges.push(Ipv6Range {
            description,
            cidr_ipv6: Some(net.to_string()),
        }),
        RulePeer::PrefixList(id) => permission.prefix_list_ids.push(ec2_api::PrefixListId {
            description,
            prefix_list_id: Some(id.to_string()),
        }),
        RulePeer::Group { group_id, user_id } => {
            let name = group_name(tx, group_id).filter(|_| with_names);
            permission.user_id_group_pairs.push(UserIdGroupPair {
                description,
                user_id: Some(user_id.to_string()),
                group_name: name,
                group_id: Some(group_id.to_string()),
                ..reference::peered_shape(tx, group_vpc_id, rule)
            });
        }
    }
}

fn group_name(tx: &Transaction<'_>, id: SecurityGroupId) -> Option<String> {
    tx.find::<SecurityGroup>(id).ok().map(|g| g.name.clone())
}

/// What a rule has for `ip-permission.<name>`.
pub(super) fn filter_values(
    tx: &Transaction<'_>,
    rule: &SecurityGroupRule,
    name: &str,
) -> Vec<String> {
    let referred = match rule.peer {
        RulePeer::Group { group_id, user_id } => Some((group_id, user_id)),
        _ => None,
    };
    let value = match (name, rule.peer) {
        ("cidr", RulePeer::Ipv4(net)) => Some(net.to_string()),
        ("ipv6-cidr", RulePeer::Ipv6(net)) => Some(net.to_string()),
        ("prefix-list-id", RulePeer::PrefixList(id)) => Some(id.to_string()),
        ("from-port", _) => rule.ports.map(|p| p.from.to_string()),
        ("to-port", _) => rule.ports.map(|p| p.to.to_string()),
        ("group-id", _) => referred.map(|(id, _)| id.to_string()),
        ("group-name", _) => referred.and_then(|(id, _)| group_name(tx, id)),
        ("user-id", _) => referred.map(|(_, user)| user.to_string()),
        ("protocol", _) => {
            let mut spellings = vec![rule.protocol.to_string()];
            if let IpProtocol::Number(number) = rule.protocol {
                spellings.push(number.to_string());
            }
            return spellings;
        }
        _ => None,
    };
    value.into_iter().collect()
}
