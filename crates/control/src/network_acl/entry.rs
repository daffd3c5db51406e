//! Rules of network ACLs (Amazon VPC User Guide, "Network ACL rules").

use ec2_api::{
    CreateNetworkAclEntryRequest, CreateNetworkAclEntryResponse, DeleteNetworkAclEntryRequest,
    DeleteNetworkAclEntryResponse, IcmpTypeCode, ReplaceNetworkAclEntryRequest,
    ReplaceNetworkAclEntryResponse,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use model::{IpProtocol, NetworkAcl, NetworkAclEntry, NetworkAclId, PortRange, RuleAction};

use crate::{Error, Transaction, parameter};

const FIRST_IPV4: u16 = 100;
const FIRST_IPV6: u16 = 101;

/// The rule of default ACLs.
pub(super) fn allow_all_ipv4(egress: bool) -> NetworkAclEntry {
    all_ipv4(FIRST_IPV4, RuleAction::Allow, egress)
}

/// The rule of default ACLs of VPCs with IPv6.
pub(super) fn allow_all_ipv6(egress: bool) -> NetworkAclEntry {
    all_ipv6(FIRST_IPV6, RuleAction::Allow, egress)
}

/// What AWS shows as rule `*`.
pub(super) fn final_ipv4(egress: bool) -> NetworkAclEntry {
    all_ipv4(NetworkAcl::FINAL_IPV4, RuleAction::Deny, egress)
}

/// What AWS shows as rule `*` for IPv6.
pub(super) fn final_ipv6(egress: bool) -> NetworkAclEntry {
    all_ipv6(NetworkAcl::FINAL_IPV6, RuleAction::Deny, egress)
}

fn all_ipv4(rule_number: u16, action: RuleAction, egress: bool) -> NetworkAclEntry {
    NetworkAclEntry {
        rule_number,
        egress,
        protocol: IpProtocol::All,
        action,
        cidr: IpNet::V4(Ipv4Net::default()),
        ports: None,
    }
}

fn all_ipv6(rule_number: u16, action: RuleAction, egress: bool) -> NetworkAclEntry {
    NetworkAclEntry {
        cidr: IpNet::V6(Ipv6Net::default()),
        ..all_ipv4(rule_number, action, egress)
    }
}

/// Adds an entry.
pub(crate) fn create_network_acl_entry(
    tx: &mut Transaction<'_>,
    request: &CreateNetworkAclEntryRequest,
) -> Result<CreateNetworkAclEntryResponse, Error> {
    let id: NetworkAclId = parameter::id(&request.network_acl_id, "networkAclId")?;
    let entry = parse(request)?;
    let mut acl = tx.take::<NetworkAcl>(id)?;
    if has(&acl, entry.egress, entry.rule_number) {
        return Err(Error::new(
            "NetworkAclEntryAlreadyExists",
            format!(
                "The network acl entry identified by {} already exists.",
                entry.rule_number
            ),
        ));
    }
    check_quota(tx, &acl, &entry)?;
    acl.put_entry(entry);
    tx.put(id, acl);
    Ok(CreateNetworkAclEntryResponse {})
}

/// Puts an entry in place of the one with its number.
pub(crate) fn replace_network_acl_entry(
    tx: &mut Transaction<'_>,
    request: &ReplaceNetworkAclEntryRequest,
) -> Result<ReplaceNetworkAclEntryResponse, Error> {
    let request = request.clone();
    let request = CreateNetworkAclEntryRequest {
        dry_run: request.dry_run,
        network_acl_id: request.network_acl_id,
        rule_number: request.rule_number,
        protocol: request.protocol,
        rule_action: request.rule_action,
        egress: request.egress,
        cidr_block: request.cidr_block,
        ipv6_cidr_block: request.ipv6_cidr_block,
        icmp_type_code: request.icmp_type_code,
        port_range: request.port_range,
    };
    let id: NetworkAclId = parameter::id(&request.network_acl_id, "networkAclId")?;
    let entry = parse(&request)?;
    let mut acl = tx.take::<NetworkAcl>(id)?;
    if !has(&acl, entry.egress, entry.rule_number) {
        return Err(not_found(entry.rule_number));
    }
    check_quota(tx, &acl, &entry)?;
    acl.put_entry(entry);
    tx.put(id, acl);
    Ok(ReplaceNetworkAclEntryResponse {})
}

/// Removes an entry.
pub(crate) fn delete_network_acl_entry(
    tx: &mut Transaction<'_>,
    request: &DeleteNetworkAclEntryRequest,
) -> Result<DeleteNetworkAclEntryResponse, Error> {
    let id: NetworkAclId = parameter::id(&request.network_acl_id, "networkAclId")?;
    let rule_number = rule_number(request.rule_number)?;
    let egress = *parameter::required(&request.egress, "egress")?;
    let mut acl = tx.take::<NetworkAcl>(id)?;
    if !has(&acl, egress, rule_number) {
        return Err(not_found(rule_number));
    }
    acl.entries
        .retain(|e| (e.egress, e.rule_number) != (egress, rule_number));
    tx.put(id, acl);
    Ok(DeleteNetworkAclEntryResponse {})
}

fn has(acl: &NetworkAcl, egress: bool, rule_number: u16) -> bool {
    acl.entries(egress).any(|e| e.rule_number == rule_number)
}

fn not_found(rule_number: u16) -> Error {
    Error::new(
        "InvalidNetworkAclEntry.NotFound",
        format!("The network acl entry identified by {rule_number} does not exist."),
    )
}

/// Counts the entries of a user, per direction and family, the final denies not among them.
fn check_quota(
    tx: &Transaction<'_>,
    acl: &NetworkAcl,
    entry: &NetworkAclEntry,
) -> Result<(), Error> {
    let family = |e: &NetworkAclEntry| matches!(e.cidr, IpNet::V4(_));
    let others = acl.entries(entry.egress).filter(|e| {
        !e.is_final() && e.rule_number != entry.rule_number && family(e) == family(entry)
    });
    tx.quotas().network_acl_entries(others.count())
}

fn parse(request: &CreateNetworkAclEntryRequest) -> Result<NetworkAclEntry, Error> {
    let rule_number = rule_number(request.rule_number)?;
    let egress = *parameter::required(&request.egress, "egress")?;
    let protocol = protocol(parameter::required(&request.protocol, "protocol")?)?;
    let action = match parameter::required(&request.rule_action, "ruleAction")?.as_str() {
        "allow" => RuleAction::Allow,
        "deny" => RuleAction::Deny,
        other => {
            return Err(Error::invalid_value(
                "ruleAction",
                other,
                "Valid values: allow, deny.",
            ));
        }
    };
    let cidr = match (&request.cidr_block, &request.ipv6_cidr_block) {
        (Some(v4), None) => IpNet::V4(parameter::ipv4_net(v4, "cidrBlock")?),
        (None, Some(v6)) => IpNet::V6(parameter::ipv6_net(v6, "ipv6CidrBlock")?),
        (None, None) => return Err(Error::MissingParameter("cidrBlock")),
        (Some(_), Some(_)) => {
            return Err(Error::InvalidParameterCombination(
                "The parameters cidrBlock and ipv6CidrBlock cannot be used together".to_owned(),
            ));
        }
    };
    Ok(NetworkAclEntry {
        rule_number,
        egress,
        protocol,
        action,
        cidr,
        ports: ports(request, protocol, cidr)?,
    })
}

/// A number that a user may give to a rule.
fn rule_number(given: Option<i32>) -> Result<u16, Error> {
    let number = *parameter::required(&given, "ruleNumber")?;
    u16::try_from(number)
        .ok()
        .filter(|n| (1..NetworkAcl::FINAL_IPV4).contains(n))
        .ok_or_else(|| {
            let last = NetworkAcl::FINAL_IPV4 - 1;
            let why = format!("The rule number must be between 1 and {last}.");
            Error::invalid_value("ruleNumber", number, &why)
        })
}

/// A number, or a name that clients use.
fn protocol(text: &str) -> Result<IpProtocol, Error> {
    match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => Ok(IpProtocol::All),
        "tcp" => Ok(IpProtocol::TCP),
        "udp" => Ok(IpProtocol::UDP),
        "icmp" => Ok(IpProtocol::ICMP),
        "icmpv6" => Ok(IpProtocol::ICMPV6),
        number => number
            .parse()
            .map(IpProtocol::Number)
            .map_err(|_| Error::invalid_value("protocol", text, "Unknown protocol.")),
    }
}

/// Ports of TCP and UDP, type and code of ICMP; other protocols have neither.
fn ports(
    request: &CreateNetworkAclEntryRequest,
    protocol: IpProtocol,
    cidr: IpNet,
) -> Result<Option<PortRange>, Error> {
    if let Some(icmp) = &request.icmp_type_code {
        let (kind, code) = (icmp.r#type.unwrap_or(-1), icmp.code.unwrap_or(-1));
        if !(-1..=255).contains(&kind) || !(-1..=255).contains(&code) {
            return Err(Error::invalid_value(
                "icmpTypeCode",
                format!("{kind}/{code}"),
                "ICMP types and codes must be between -1 and 255.",
            ));
        }
    }
    let wants_icmp = protocol == IpProtocol::ICMP
        || (protocol == IpProtocol::ICMPV6 && matches!(cidr, IpNet::V6(_)));
    if protocol.has_ports() {
        let range = parameter::required(&request.port_range, "portRange")?;
        let from = *parameter::required(&range.from, "portRange.from")?;
        let to = *parameter::required(&range.to, "portRange.to")?;
        if from < 0 || to > 65_535 || from > to {
            return Err(Error::invalid_value(
                "portRange",
                format!("{from}-{to}"),
                "Ports must be between 0 and 65535, the first not above the last.",
            ));
        }
        Ok(Some(PortRange { from, to }))
    } else if wants_icmp {
        let icmp = parameter::required(&request.icmp_type_code, "icmpTypeCode")?;
        let from = *parameter::required(&icmp.r#type, "icmpTypeCode.type")?;
        let to = *parameter::required(&icmp.code, "icmpTypeCode.code")?;
        Ok(Some(PortRange { from, to }))
    } else {
        Ok(None)
    }
}

/// The protocol as network ACLs print it: always a number.
fn protocol_number(protocol: IpProtocol) -> String {
    match protocol {
        IpProtocol::All => "-1".to_owned(),
        IpProtocol::Number(number) => number.to_string(),
    }
}

/// What an entry has for `entry.<name>`.
pub(super) fn filter_value(entry: &NetworkAclEntry, name: &str) -> Option<String> {
    let shape = shape(entry);
    let (ports, icmp) = (shape.port_range, shape.icmp_type_code);
    match name {
        "cidr" => shape.cidr_block,
        "egress" => Some(entry.egress.to_string()),
        "icmp.code" => icmp.and_then(|i| i.code).map(|n| n.to_string()),
        "icmp.type" => icmp.and_then(|i| i.r#type).map(|n| n.to_string()),
        "ipv6-cidr" => shape.ipv6_cidr_block,
        "port-range.from" => ports.and_then(|p| p.from).map(|n| n.to_string()),
        "port-range.to" => ports.and_then(|p| p.to).map(|n| n.to_string()),
        "protocol" => shape.protocol,
        "rule-action" => shape.rule_action,
        "rule-number" => Some(entry.rule_number.to_string()),
        _ => None,
    }
}

pub(super) fn shape(entry: &NetworkAclEntry) -> ec2_api::NetworkAclEntry {
    let mut shape = ec2_api::NetworkAclEntry {
        egress: Some(entry.egress),
        protocol: Some(protocol_number(entry.protocol)),
        rule_action: Some(entry.action.to_string()),
        rule_number: Some(i32::from(entry.rule_number)),
        ..Default::default()
    };
    match entry.cidr {
        IpNet::V4(net) => shape.cidr_block = Some(net.to_string()),
        IpNet::V6(net) => shape.ipv6_cidr_block = Some(net.to_string()),
    }
    match entry.ports {
        Some(PortRange { from, to }) if entry.protocol.is_icmp() => {
            shape.icmp_type_code = Some(IcmpTypeCode {
                code: Some(to),
                r#type: Some(from),
            });
        }
        Some(PortRange { from, to }) => {
            shape.port_range = Some(ec2_api::PortRange {
                from: Some(from),
                to: Some(to),
            });
        }
        None => {}
    }
    shape
}
