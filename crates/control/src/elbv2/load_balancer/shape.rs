//! Load balancers as answers show them.

use elbv2_api::{AvailabilityZone, LoadBalancerAddress};
use model::{LoadBalancer, LoadBalancerNode, LoadBalancerScheme, Region};

use crate::Transaction;

/// The whole load balancer.
pub(super) fn load_balancer(tx: &Transaction<'_>, row: &LoadBalancer) -> elbv2_api::LoadBalancer {
    let region = tx.scope().region;
    elbv2_api::LoadBalancer {
        load_balancer_arn: Some(row.arn(tx.scope())),
        dns_name: Some(row.dns_name(region)),
        canonical_hosted_zone_id: hosted_zone_id(region).map(str::to_owned),
        created_time: Some(row.created_at.to_string()),
        load_balancer_name: Some(row.name.clone()),
        scheme: Some(row.scheme.as_str().to_owned()),
        vpc_id: Some(row.vpc_id.to_string()),
        state: Some(elbv2_api::LoadBalancerState {
            code: Some(row.state.as_str().to_owned()),
            reason: None,
        }),
        r#type: Some("network".to_owned()),
        availability_zones: row.nodes.iter().map(|node| zone(tx, row, node)).collect(),
        security_groups: row.groups.iter().map(ToString::to_string).collect(),
        ip_address_type: Some("ipv4".to_owned()),
        enforce_security_group_inbound_rules_on_private_link_traffic: enforcement(row),
        enable_prefix_for_ipv6_source_nat: Some("off".to_owned()),
        ..Default::default()
    }
}

/// `on` or `off`; nothing without security groups.
pub(super) fn enforcement(row: &LoadBalancer) -> Option<String> {
    let enforces = row.enforces_groups_on_private_link;
    (!row.groups.is_empty()).then(|| if enforces { "on" } else { "off" }.to_owned())
}

/// A node; addresses are shown where somebody chose them.
fn zone(tx: &Transaction<'_>, row: &LoadBalancer, node: &LoadBalancerNode) -> AvailabilityZone {
    let eni = tx
        .state()
        .network_interfaces
        .get(&node.network_interface_id);
    let primary = eni.and_then(|eni| eni.private_ip_addresses.first());
    let mapping = primary.and_then(|primary| primary.association.as_ref());
    let elastic =
        mapping.and_then(|mapping| mapping.elastic.map(|(id, _)| (id, mapping.public_ip)));
    let address = match row.scheme {
        LoadBalancerScheme::InternetFacing => elastic.map(|(id, public)| LoadBalancerAddress {
            ip_address: Some(public.to_string()),
            allocation_id: Some(id.to_string()),
            ..Default::default()
        }),
        LoadBalancerScheme::Internal => primary.map(|primary| LoadBalancerAddress {
            private_ipv4_address: Some(primary.address.to_string()),
            ..Default::default()
        }),
    };
    AvailabilityZone {
        zone_name: Some(node.zone.to_string()),
        subnet_id: Some(node.subnet_id.to_string()),
        load_balancer_addresses: address.into_iter().collect(),
        ..Default::default()
    }
}

/// The hosted zone of the Region's network load balancers (AWS General Reference, "Elastic Load Balancing
/// endpoints and quotas").
fn hosted_zone_id(region: Region) -> Option<&'static str> {
    Some(match region.name() {
        "ap-northeast-1" => "Z31USIVHYNEOWT",
        "ap-northeast-2" => "ZIBE1TIR4HY56",
        "ap-northeast-3" => "Z1GWIQ4HH19I5X",
        "ap-south-1" => "ZVDDRBQ08TROA",
        "ap-southeast-1" => "ZKVM4W9LS7TM",
        "ap-southeast-2" => "ZCT6FZBF4DROD",
        "ca-central-1" => "Z2EPGBW3API2WT",
        "eu-central-1" => "Z3F0SRJ5LGBH90",
        "eu-north-1" => "Z1UDT6IFJ4EJM",
        "eu-west-1" => "Z2IFOLAFXWLO4F",
        "eu-west-2" => "ZD4D7Y8KGAS4G",
        "eu-west-3" => "Z1CMS0P5QUZ6D5",
        "sa-east-1" => "ZTK26PT1VY4CU",
        "us-east-1" => "Z26RNL4JYFTOTI",
        "us-east-2" => "ZLMOA37VPKANP",
        "us-west-1" => "Z24FKFUX50B4VW",
        "us-west-2" => "Z18D5FSROUN65G",
        _ => return None,
    })
}
