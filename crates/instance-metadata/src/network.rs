//! `network/interfaces/macs/`: every interface of the instance.

use std::fmt::Display;
use std::net::Ipv4Addr;

use model::NetworkInterface;

use crate::Place;
use crate::tree::{Entries, resource_name};

/// `network/`.
pub(crate) fn interfaces(place: &Place<'_>) -> Entries {
    let macs = place
        .interfaces
        .iter()
        .fold(Entries::default(), |all, eni| {
            all.directory(&eni.mac.to_string(), interface(place, eni))
        });
    Entries::default().directory("interfaces", Entries::default().directory("macs", macs))
}

fn interface(place: &Place<'_>, eni: &NetworkInterface) -> Entries {
    let state = place.state;
    let subnet = state.subnets.get(&eni.subnet_id);
    let vpc = state.vpcs.get(&eni.vpc_id);
    let private = || eni.private_ip_addresses.iter();
    let public: Vec<(Ipv4Addr, Ipv4Addr)> = private()
        .filter_map(|own| Some((own.association.as_ref()?.public_ip, own.address)))
        .collect();
    let associations = public
        .iter()
        .fold(Entries::default(), |all, (public, private)| {
            all.text(&public.to_string(), private.to_string())
        });
    let index = eni.attachment.as_ref().map(|a| a.device_index.to_string());
    let main_public = eni.primary_ipv4().and_then(|a| eni.public_ip(a));
    let ids: Vec<String> = eni.groups.iter().map(ToString::to_string).collect();
    Entries::default()
        .text("device-number", index)
        .text("interface-id", eni.id.to_string())
        .directory("ipv4-associations", associations)
        .text("ipv6s", lines(&eni.ipv6_addresses))
        .text("local-hostname", local_hostname(place, eni))
        .text("local-ipv4s", lines(private().map(|own| own.address)))
        .text("mac", eni.mac.to_string())
        .text("network-card-index", "0".to_owned())
        .text("owner-id", place.scope.account.to_string())
        .text(
            "public-hostname",
            main_public.and_then(|public| public_hostname(place, eni, public)),
        )
        .text(
            "public-ipv4s",
            lines(public.iter().map(|(public, _)| public)),
        )
        .text("security-group-ids", ids.join("\n"))
        .text("security-groups", group_names(place, eni))
        .text("subnet-id", eni.subnet_id.to_string())
        .text(
            "subnet-ipv4-cidr-block",
            subnet.and_then(|subnet| Some(subnet.cidr?.to_string())),
        )
        .text(
            "subnet-ipv6-cidr-blocks",
            subnet.and_then(|s| lines(s.ipv6_cidr_blocks.iter().map(|block| block.cidr))),
        )
        .text("vpc-id", eni.vpc_id.to_string())
        .text(
            "vpc-ipv4-cidr-block",
            vpc.and_then(|vpc| Some(vpc.primary_cidr()?.to_string())),
        )
        .text(
            "vpc-ipv4-cidr-blocks",
            vpc.and_then(|vpc| lines(vpc.cidr_blocks.iter().map(|block| block.cidr))),
        )
        .text(
            "vpc-ipv6-cidr-blocks",
            vpc.and_then(|vpc| lines(vpc.ipv6_cidr_blocks.iter().map(|block| block.cidr))),
        )
}

/// One in a line; nothing if there are none.
fn lines(all: impl IntoIterator<Item = impl Display>) -> Option<String> {
    let lines: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The name that the subnet's settings give ("EC2 instance hostnames and domains").
pub(crate) fn local_hostname(place: &Place<'_>, eni: &NetworkInterface) -> Option<String> {
    let region = place.scope.region;
    let subnet = place.state.subnets.get(&eni.subnet_id)?;
    match eni.primary_ipv4() {
        Some(address) if subnet.hostname_type != "resource-name" => Some(format!(
            "ip-{}.{}",
            hyphens(address),
            region.private_domain()
        )),
        _ => Some(resource_name(place.instance.id, region)),
    }
}

/// The public name, if the VPC's DNS attributes are both on.
pub(crate) fn public_hostname(
    place: &Place<'_>,
    eni: &NetworkInterface,
    public: Ipv4Addr,
) -> Option<String> {
    let vpc = place.state.vpcs.get(&eni.vpc_id)?;
    let domain = place.scope.region.public_domain();
    (vpc.enable_dns_support && vpc.enable_dns_hostnames)
        .then(|| format!("ec2-{}.{domain}", hyphens(public)))
}

/// Names of the interface's groups, one in a line.
pub(crate) fn group_names(place: &Place<'_>, eni: &NetworkInterface) -> String {
    let groups = eni.groups.iter();
    let names = groups.filter_map(|id| Some(place.state.security_groups.get(id)?.name.clone()));
    names.collect::<Vec<_>>().join("\n")
}

fn hyphens(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}
