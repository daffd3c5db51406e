//! Security groups and network ACLs.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use model::{
    IpProtocol, NetworkAcl, NetworkAclAssociation, NetworkAclEntry, PortRange, RuleAction,
    RulePeer, SecurityGroup, SecurityGroupRule, SubnetId, Tags,
};

use super::{Builder, Error, parse, shape, value};

impl Builder {
    pub(super) fn security_group(&mut self, shape: &shape::SecurityGroup) -> Result<(), Error> {
        let place = format!("SecurityGroups: {}", shape.group_id);
        let vpc_id = self.known_vpc(&place, &shape.vpc_id)?;
        let mut rules = Vec::new();
        for permission in &shape.ip_permissions {
            self.permission(&place, false, permission, &mut rules)?;
        }
        match &shape.ip_permissions_egress {
            Some(permissions) => {
                for permission in permissions {
                    self.permission(&place, true, permission, &mut rules)?;
                }
            }
            None => {
                for peer in [
                    RulePeer::Ipv4(Ipv4Net::default()),
                    RulePeer::Ipv6(Ipv6Net::default()),
                ] {
                    rules.push(self.rule(true, IpProtocol::All, None, peer));
                }
            }
        }
        let name = shape.group_name.as_deref();
        let group = SecurityGroup {
            id: parse(&place, &shape.group_id)?,
            vpc_id,
            name: name.unwrap_or(&shape.group_id).to_owned(),
            description: String::new(),
            rules,
            associated_vpc_ids: Vec::new(),
            tags: Tags::default(),
        };
        self.state.security_groups.insert(group.id, group);
        Ok(())
    }

    fn rule(
        &mut self,
        is_egress: bool,
        protocol: IpProtocol,
        ports: Option<PortRange>,
        peer: RulePeer,
    ) -> SecurityGroupRule {
        SecurityGroupRule {
            id: self.id(),
            is_egress,
            protocol,
            ports,
            peer,
            peered: None,
            description: None,
            tags: Tags::default(),
        }
    }

    fn permission(
        &mut self,
        place: &str,
        is_egress: bool,
        shape: &shape::IpPermission,
        rules: &mut Vec<SecurityGroupRule>,
    ) -> Result<(), Error> {
        let protocol = protocol(place, &shape.ip_protocol)?;
        let ports = match (shape.from_port, shape.to_port) {
            (Some(from), Some(to)) if protocol.has_ports() || protocol.is_icmp() => {
                (from != -1 || to != -1).then_some(PortRange { from, to })
            }
            _ => None,
        };
        if !shape.prefix_list_ids.is_empty() {
            let why = "rules that name prefix lists are not understood; write their blocks";
            return Err(value(place, why));
        }
        let mut peers = Vec::new();
        for range in &shape.ip_ranges {
            peers.push(RulePeer::Ipv4(
                parse::<Ipv4Net>(place, &range.cidr_ip)?.trunc(),
            ));
        }
        for range in &shape.ipv6_ranges {
            peers.push(RulePeer::Ipv6(
                parse::<Ipv6Net>(place, &range.cidr_ipv6)?.trunc(),
            ));
        }
        for pair in &shape.user_id_group_pairs {
            peers.push(RulePeer::Group {
                group_id: parse(place, &pair.group_id)?,
                user_id: match pair.user_id.as_deref() {
                    Some(user) => parse(place, user)?,
                    None => self.scope.account,
                },
            });
        }
        for peer in peers {
            let rule = self.rule(is_egress, protocol, ports, peer);
            rules.push(rule);
        }
        Ok(())
    }

    pub(super) fn network_acl(&mut self, shape: &shape::NetworkAcl) -> Result<(), Error> {
        let id = shape.network_acl_id.as_deref();
        let place = format!("NetworkAcls: {}", id.unwrap_or("(without an id)"));
        let vpc_id = self.known_vpc(&place, &shape.vpc_id)?;
        let mut associations = Vec::new();
        for association in &shape.associations {
            if let Some(subnet) = association.subnet_id.as_deref() {
                let subnet_id = self.known_subnet(&place, subnet)?.id;
                let id = self.id();
                associations.push(NetworkAclAssociation { id, subnet_id });
            }
        }
        let mut acl = NetworkAcl {
            id: self.given(&place, id)?,
            vpc_id,
            is_default: shape.is_default,
            entries: Vec::new(),
            associations,
            tags: Tags::default(),
        };
        for entry in &shape.entries {
            let place = format!("{place}: entry {}", entry.rule_number);
            acl.put_entry(self::entry(&place, entry)?);
        }
        self.state.network_acls.insert(acl.id, acl);
        Ok(())
    }

    /// Subnets that no network ACL guards have their VPC's default one, which allows everything
    /// unless it is described.
    pub(super) fn open_network_acls(&mut self) {
        let subnets: Vec<SubnetId> = self.state.subnets.values().map(|s| s.id).collect();
        for subnet_id in subnets {
            let Some(subnet) = self.state.subnets.get(&subnet_id) else {
                continue;
            };
            let vpc_id = subnet.vpc_id;
            if self.state.network_acl_of(subnet_id).is_some() {
                continue;
            }
            let default = self.state.default_network_acl(vpc_id).cloned();
            let mut acl = default.unwrap_or_else(|| {
                let mut acl = NetworkAcl {
                    id: self.id(),
                    vpc_id,
                    is_default: true,
                    entries: Vec::new(),
                    associations: Vec::new(),
                    tags: Tags::default(),
                };
                for egress in [false, true] {
                    let blocks = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
                    for (rule_number, cidr) in (100..).zip(blocks) {
                        acl.put_entry(NetworkAclEntry {
                            rule_number,
                            egress,
                            protocol: IpProtocol::All,
                            action: RuleAction::Allow,
                            cidr,
                            ports: None,
                        });
                    }
                }
                acl
            });
            let id = self.id();
            acl.associations
                .push(NetworkAclAssociation { id, subnet_id });
            self.state.network_acls.insert(acl.id, acl);
        }
    }
}

fn entry(place: &str, shape: &shape::NetworkAclEntry) -> Result<NetworkAclEntry, Error> {
    let blocks = [
        shape.cidr_block.as_deref(),
        shape.ipv6_cidr_block.as_deref(),
    ];
    let block = blocks.into_iter().flatten().next();
    let block = block.ok_or_else(|| value(place, "it has no CidrBlock"))?;
    let protocol = protocol(place, &shape.protocol)?;
    let ports = match (&shape.port_range, &shape.icmp_type_code) {
        (Some(range), _) if protocol.has_ports() => Some(PortRange {
            from: range.from,
            to: range.to,
        }),
        (_, Some(icmp)) if protocol.is_icmp() => Some(PortRange {
            from: icmp.r#type,
            to: icmp.code,
        }),
        _ => None,
    };
    Ok(NetworkAclEntry {
        rule_number: shape.rule_number,
        egress: shape.egress,
        protocol,
        action: match shape.rule_action.as_str() {
            "allow" => RuleAction::Allow,
            "deny" => RuleAction::Deny,
            other => return Err(value(place, format!("RuleAction {other:?} is none"))),
        },
        cidr: parse::<IpNet>(place, block)?.trunc(),
        ports,
    })
}

fn protocol(place: &str, text: &str) -> Result<IpProtocol, Error> {
    Ok(match text {
        "-1" | "all" => IpProtocol::All,
        "tcp" => IpProtocol::TCP,
        "udp" => IpProtocol::UDP,
        "icmp" => IpProtocol::ICMP,
        "icmpv6" => IpProtocol::ICMPV6,
        number => {
            let why = || value(place, format!("{number:?} is no protocol"));
            IpProtocol::Number(number.parse().map_err(|_| why())?)
        }
    })
}
