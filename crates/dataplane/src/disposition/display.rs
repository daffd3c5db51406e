//! Dispositions in one line each, in AWS's words.

use std::fmt::{self, Display, Formatter};

use model::{AwsService, NetworkAclId, Region, ResourceId, SecurityGroupId};

use super::Disposition;

/// `network ACL acl-… egress rule 100 deny`.
impl Display for Disposition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { to } => write!(f, "delivered to {to}"),
            Self::ExitsToInternet { via, address } => {
                write!(f, "left through {via} for {address}")
            }
            Self::StaysOnInternet { address } => write!(f, "delivered to internet host {address}"),
            Self::TakenByService { address } => write!(f, "taken by the service at {address}"),
            Self::ReachesService {
                service,
                region,
                via,
                answered,
            } => reaches_service(f, *service, *region, *via, *answered),
            Self::NotServed { address } => write!(
                f,
                "the service at {address} takes TCP and echo requests only"
            ),
            Self::ServiceLimitExceeded { address } => write!(
                f,
                "its sender has as many connections to {address} and other services as it can"
            ),
            Self::DeniedBySecurityGroup { egress, groups, .. } => {
                denied_by_groups(f, *egress, groups)
            }
            Self::DeniedByNetworkAcl {
                acl,
                egress,
                rule_number,
            } => denied_by_acl(f, *acl, *egress, *rule_number),
            Self::NoRoute { table: Some(table) } => {
                write!(f, "route table {table} has no route to it")
            }
            Self::NoRoute { table: None } => f.write_str("no route table rules the subnet"),
            Self::Blackhole {
                table,
                destination,
                target,
            } => write!(
                f,
                "route {destination} to {target} of route table {table} is a blackhole"
            ),
            Self::NoSuchAddress { address } => {
                write!(f, "no network interface of the VPC has address {address}")
            }
            Self::NoSuchDevice { interface } => {
                write!(f, "no running instance behind {interface}")
            }
            Self::SourceDestinationCheck {
                interface,
                egress,
                address,
            } => {
                let which = if *egress { "source" } else { "destination" };
                write!(
                    f,
                    "source/destination check of {interface} refuses {which} {address}"
                )
            }
            Self::RefusedByEndpoint { endpoint, reason } => {
                write!(f, "endpoint {endpoint} does not carry it: {reason}")
            }
            Self::InternetUnreachable { address } => {
                write!(f, "nobody on the internet has address {address}")
            }
            Self::MtuExceeded { mtu } => write!(f, "longer than the MTU of {mtu} bytes"),
            Self::ConntrackAllowanceExceeded { interface } => {
                write!(f, "{interface} tracks as many connections as it can")
            }
            Self::RefusedOnLink(reason) => write!(f, "refused on the link: {reason}"),
            gateway => refused_by_gateway(f, gateway),
        }
    }
}

fn reaches_service(
    f: &mut Formatter<'_>,
    service: AwsService,
    region: Region,
    via: Option<ResourceId>,
    answered: bool,
) -> fmt::Result {
    write!(f, "delivered to {service} in {region}")?;
    if let Some(via) = via {
        write!(f, " through {via}")?;
    }
    if answered {
        return Ok(());
    }
    write!(
        f,
        ", behind which nothing runs (weir up --service {service}=URL)"
    )
}

fn denied_by_groups(
    f: &mut Formatter<'_>,
    egress: bool,
    groups: &[SecurityGroupId],
) -> fmt::Result {
    let direction = if egress { "outbound" } else { "inbound" };
    write!(f, "no {direction} rule of ")?;
    for (i, group) in groups.iter().enumerate() {
        write!(f, "{}{group}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str(if groups.is_empty() {
        "any security group allows it"
    } else {
        " allows it"
    })
}

fn denied_by_acl(
    f: &mut Formatter<'_>,
    acl: NetworkAclId,
    egress: bool,
    rule_number: u16,
) -> fmt::Result {
    let direction = if egress { "egress" } else { "ingress" };
    write!(f, "network ACL {acl} {direction} rule ")?;
    if rule_number >= model::NetworkAcl::FINAL_IPV4 {
        f.write_str("* deny")
    } else {
        write!(f, "{rule_number} deny")
    }
}

/// Refusals of gateways, each by what it cannot do.
fn refused_by_gateway(f: &mut Formatter<'_>, disposition: &Disposition) -> fmt::Result {
    match disposition {
        Disposition::NoEndpointSession { endpoint } => {
            write!(
                f,
                "endpoint {endpoint} knows no connection that it belongs to"
            )
        }
        Disposition::NoServiceBehindEndpoint { endpoint } => {
            write!(f, "no service behind endpoint {endpoint}")
        }
        Disposition::NoPublicAddress { gateway, address } => write!(
            f,
            "internet gateway {gateway} has no public address for {address}"
        ),
        Disposition::NoNatSession { gateway } => {
            write!(f, "NAT gateway {gateway} has no such connection")
        }
        Disposition::NatPortAllocation { gateway, address } => {
            write!(f, "NAT gateway {gateway} has no port left for {address}")
        }
        Disposition::NatProtocol { gateway, protocol } => write!(
            f,
            "NAT gateway {gateway} does not translate protocol {protocol}"
        ),
        Disposition::HopLimitExceeded { gateway } => {
            write!(f, "no hop was left at NAT gateway {gateway}")
        }
        Disposition::EgressOnly { gateway } => write!(
            f,
            "egress-only internet gateway {gateway} lets in only answers"
        ),
        Disposition::OutsidePeering { peering, address } => write!(
            f,
            "peering connection {peering} carries only addresses of its two VPCs, not {address}"
        ),
        Disposition::HealthCheckAnswered { interface } => {
            write!(f, "taken by {interface} as the answer to a health check")
        }
        Disposition::NoListener { interface } => {
            write!(
                f,
                "no listener of the load balancer of {interface} takes it"
            )
        }
        Disposition::NoTarget { interface } => {
            write!(f, "the load balancer of {interface} has no target for it")
        }
        Disposition::NoLoadBalancerSession { interface } => {
            write!(
                f,
                "the load balancer of {interface} knows no such connection"
            )
        }
        // Everything else is told above.
        _ => Ok(()),
    }
}
