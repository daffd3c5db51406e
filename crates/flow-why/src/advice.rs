//! What to do about a refusal, where that is obvious.

use std::net::IpAddr;

use dataplane::Disposition;
use flow_logs::Flow;
use model::{RouteTarget, World};

use crate::why::Asking;

/// `tcp 5432 from 10.0.1.10 to 10.0.2.20`.
pub(crate) fn packet(flow: &Flow) -> String {
    let key = &flow.key;
    format!(
        "{} from {} to {}",
        protocol_and_port(flow),
        key.pkt_srcaddr,
        key.pkt_dstaddr
    )
}

fn protocol_and_port(flow: &Flow) -> String {
    let protocol = protocol(flow.key.protocol);
    match flow.key.dstport {
        0 => protocol,
        port => format!("{protocol} {port}"),
    }
}

pub(crate) fn protocol(number: u8) -> String {
    model::protocol::name(number).map_or_else(|| format!("protocol {number}"), str::to_owned)
}

pub(crate) fn advice(asking: &Asking<'_>, world: &World) -> Option<String> {
    let (flow, key) = (asking.flow, &asking.flow.key);
    Some(match &asking.flow.disposition {
        Disposition::DeniedBySecurityGroup { egress, groups, .. } => {
            let group = groups.first()?;
            let (verb, remote) = if *egress {
                ("egress", key.pkt_dstaddr)
            } else {
                ("ingress", key.pkt_srcaddr)
            };
            format!(
                "aws ec2 authorize-security-group-{verb} --group-id {group} --ip-permissions {}",
                permission(flow, remote)
            )
        }
        Disposition::DeniedByNetworkAcl {
            acl,
            egress,
            rule_number,
        } => network_acl_entry(asking, *acl, *egress, *rule_number),
        Disposition::NoRoute { table: Some(table) } => {
            format!("add a route for {} to {table}", key.pkt_dstaddr)
        }
        Disposition::Blackhole {
            table,
            destination,
            target,
        } => {
            let because = because_of(*target, world);
            format!("give {destination} of {table} another target: {target} {because}")
        }
        Disposition::NoSuchAddress { .. } => "check the address: nobody has it".to_owned(),
        Disposition::NoSuchDevice { interface } => {
            format!("start the instance behind {interface}")
        }
        Disposition::NoPublicAddress { address, .. } => format!(
            "associate an Elastic IP address with {address}, or send its traffic through a NAT gateway"
        ),
        Disposition::NatPortAllocation { gateway, .. } => format!(
            "aws ec2 associate-nat-gateway-address --nat-gateway-id {gateway} with more addresses, or close idle connections"
        ),
        Disposition::SourceDestinationCheck { interface, .. } => format!(
            "if {interface} forwards for others: aws ec2 modify-network-interface-attribute --network-interface-id \
             {interface} --no-source-dest-check"
        ),
        Disposition::EgressOnly { .. } => {
            "nobody outside can begin a connection; an internet gateway would let them".to_owned()
        }
        Disposition::OutsidePeering { .. } => {
            "peer the two VPCs themselves: peering is not transitive".to_owned()
        }
        Disposition::NoTarget { .. } => {
            "aws elbv2 describe-target-health: register targets, or see why health checks fail"
                .to_owned()
        }
        Disposition::NoListener { .. } => match key.dstport {
            0 => return None,
            port => format!("create a listener for port {port}"),
        },
        Disposition::MtuExceeded { mtu } => {
            format!("send packets of up to {mtu} bytes, and let ICMP through")
        }
        Disposition::ConntrackAllowanceExceeded { .. } => {
            "close idle connections, or let rules leave the flow untracked".to_owned()
        }
        Disposition::ReachesService {
            service,
            answered: false,
            ..
        } => format!("start Weir with --service {service}=URL"),
        _ => return None,
    })
}

/// The entry that would let the packet pass, ahead of the one that refuses it.
fn network_acl_entry(
    asking: &Asking<'_>,
    acl: model::NetworkAclId,
    egress: bool,
    rule_number: u16,
) -> String {
    let side = if egress { "egress" } else { "ingress" };
    let remote = if egress {
        asking.flow.key.pkt_dstaddr
    } else {
        asking.flow.key.pkt_srcaddr
    };
    let protocol = protocol(asking.flow.key.protocol);
    let what = match (asking.is_answer, asking.flow.key.dstport) {
        (_, 0) => protocol,
        (true, _) => format!("{protocol} 1024-65535 (the client's ports)"),
        (false, port) => format!("{protocol} {port}"),
    };
    let before = if rule_number >= model::NetworkAcl::FINAL_IPV4 {
        String::new()
    } else {
        format!(" with a number below {rule_number}")
    };
    let towards = if egress { "to" } else { "from" };
    format!("add an {side} entry to {acl}{before} that allows {what} {towards} {remote}")
}

/// One permission in the shorthand of the aws CLI.
fn permission(flow: &Flow, remote: IpAddr) -> String {
    let key = &flow.key;
    let ports = match (key.protocol, key.dstport) {
        (6 | 17, port) => format!("FromPort={port},ToPort={port},"),
        (1 | 58, _) => "FromPort=-1,ToPort=-1,".to_owned(),
        _ => String::new(),
    };
    let protocol = model::IpProtocol::Number(key.protocol);
    let range = match remote {
        IpAddr::V4(address) => format!("IpRanges=[{{CidrIp={address}/32}}]"),
        IpAddr::V6(address) => format!("Ipv6Ranges=[{{CidrIpv6={address}/128}}]"),
    };
    format!("'IpProtocol={protocol},{ports}{range}'")
}

fn because_of(target: RouteTarget, world: &World) -> &'static str {
    let exists = world.regions.values().any(|state| match target {
        RouteTarget::Local => true,
        RouteTarget::InternetGateway(id) => state.internet_gateways.contains(&id),
        RouteTarget::EgressOnlyInternetGateway(id) => {
            state.egress_only_internet_gateways.contains(&id)
        }
        RouteTarget::NatGateway(id) => state.nat_gateways.contains(&id),
        RouteTarget::NetworkInterface(id) => state.network_interfaces.contains(&id),
        RouteTarget::VpcEndpoint(id) => state.vpc_endpoints.contains(&id),
        RouteTarget::VpcPeeringConnection(id) => state.vpc_peering_connections.contains(&id),
    });
    if exists {
        "cannot take packets"
    } else {
        "is gone"
    }
}
