//! Listing peering connections (Amazon EC2 API Reference, "DescribeVpcPeeringConnections").

use std::collections::BTreeSet;

use ec2_api::{
    CidrBlock, DescribeVpcPeeringConnectionsRequest, DescribeVpcPeeringConnectionsResponse,
    Ipv6CidrBlock, VpcPeeringConnectionOptionsDescription, VpcPeeringConnectionStateReason,
    VpcPeeringConnectionVpcInfo,
};
use model::{
    PeeringSide, PeeringStatus, Scope, Tags, VpcPeeringConnection, VpcPeeringConnectionId,
};

use super::{all, find, settle, visible};
use crate::filter::{Filters, optional};
use crate::page::Page;
use crate::tag::tag_set;
use crate::{Error, Transaction, parameter};

const FILTERS: &[&str] = &[
    "accepter-vpc-info.cidr-block",
    "accepter-vpc-info.owner-id",
    "accepter-vpc-info.vpc-id",
    "expiration-time",
    "requester-vpc-info.cidr-block",
    "requester-vpc-info.owner-id",
    "requester-vpc-info.vpc-id",
    "status-code",
    "status-message",
    "vpc-peering-connection-id",
];

/// Lists the connections of the caller's VPCs, ended ones for a while.
pub(crate) fn describe_vpc_peering_connections(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcPeeringConnectionsRequest,
) -> Result<DescribeVpcPeeringConnectionsResponse, Error> {
    let ids = &request.vpc_peering_connection_ids;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let ids: BTreeSet<VpcPeeringConnectionId> = parameter::optional_ids(ids)?.into_iter().collect();
    let scope = tx.scope();
    let sides = all(tx).filter(|p| p.side_in(scope).is_some());
    let own: Vec<VpcPeeringConnectionId> = sides.map(|p| p.id).collect();
    for id in own {
        settle(tx, id);
    }
    for id in &ids {
        find(tx, *id)?;
    }
    let mut rows: Vec<(&VpcPeeringConnection, &Tags)> = visible(tx).collect();
    rows.sort_by_key(|(peering, _)| peering.id);
    rows.retain(|(peering, tags)| {
        (ids.is_empty() || ids.contains(&peering.id))
            && filters.matches(tags, |name| filter_values(scope, peering, name))
    });
    let (rows, next_token) = page.take(rows, |(peering, _)| peering.id.to_string());
    Ok(DescribeVpcPeeringConnectionsResponse {
        vpc_peering_connections: rows.into_iter().map(|(p, _)| shape(scope, p)).collect(),
        next_token,
    })
}

fn filter_values(scope: Scope, peering: &VpcPeeringConnection, name: &str) -> Vec<String> {
    let shape = shape(scope, peering);
    let status = shape.status.unwrap_or_default();
    let (info, name) = match name.split_once("-vpc-info.") {
        Some(("accepter", rest)) => (shape.accepter_vpc_info, rest),
        Some((_, rest)) => (shape.requester_vpc_info, rest),
        None => (None, name),
    };
    let info = info.unwrap_or_default();
    optional(match name {
        "cidr-block" => info.cidr_block,
        "owner-id" => info.owner_id,
        "vpc-id" => info.vpc_id,
        "expiration-time" => shape.expiration_time,
        "status-code" => status.code,
        "status-message" => status.message,
        _ => shape.vpc_peering_connection_id,
    })
}

/// A connection as one of its sides sees it.
pub(super) fn shape(scope: Scope, peering: &VpcPeeringConnection) -> ec2_api::VpcPeeringConnection {
    let established = matches!(
        peering.status,
        PeeringStatus::Active | PeeringStatus::Deleting
    );
    let tags = peering.side_in(scope).map(|side| tag_set(&side.tags));
    let expires = peering.status.is_outstanding() || peering.status == PeeringStatus::Expired;
    ec2_api::VpcPeeringConnection {
        accepter_vpc_info: Some(info(&peering.accepter, established, established)),
        expiration_time: expires.then(|| peering.expires_at.to_string()),
        requester_vpc_info: Some(info(&peering.requester, true, established)),
        status: Some(VpcPeeringConnectionStateReason {
            code: Some(peering.status.code().to_owned()),
            message: Some(message(peering)),
        }),
        tags: tags.unwrap_or_default(),
        vpc_peering_connection_id: Some(peering.id.to_string()),
    }
}

/// Blocks and options of a side are shown from when the connection is active; the requester's
/// blocks always.
fn info(side: &PeeringSide, with_blocks: bool, with_options: bool) -> VpcPeeringConnectionVpcInfo {
    let v4 = side.cidr_blocks.iter().filter(|_| with_blocks);
    let v6 = side.ipv6_cidr_blocks.iter().filter(|_| with_blocks);
    VpcPeeringConnectionVpcInfo {
        cidr_block: v4.clone().next().map(ToString::to_string),
        ipv6_cidr_block_set: v6
            .map(|block| Ipv6CidrBlock {
                ipv6_cidr_block: Some(block.to_string()),
            })
            .collect(),
        cidr_block_set: v4
            .map(|block| CidrBlock {
                cidr_block: Some(block.to_string()),
            })
            .collect(),
        owner_id: Some(side.scope.account.to_string()),
        peering_options: with_options.then_some(VpcPeeringConnectionOptionsDescription {
            allow_dns_resolution_from_remote_vpc: Some(side.allow_dns_resolution_from_remote_vpc),
            allow_egress_from_local_classic_link_to_remote_vpc: Some(false),
            allow_egress_from_local_vpc_to_remote_classic_link: Some(false),
        }),
        vpc_id: Some(side.vpc_id.to_string()),
        region: Some(side.scope.region.to_string()),
    }
}

fn message(peering: &VpcPeeringConnection) -> String {
    let accepter = peering.accepter.scope.account;
    match peering.status {
        PeeringStatus::InitiatingRequest => format!("Initiating Request to {accepter}"),
        PeeringStatus::PendingAcceptance => format!("Pending Acceptance by {accepter}"),
        PeeringStatus::Provisioning => "Provisioning".to_owned(),
        PeeringStatus::Active => "Active".to_owned(),
        PeeringStatus::Rejected => "Inactive".to_owned(),
        PeeringStatus::Expired => "Expired".to_owned(),
        PeeringStatus::Failed => {
            "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range".to_owned()
        }
        PeeringStatus::Deleting => "Deleting".to_owned(),
        PeeringStatus::Deleted => match peering.deleted_by {
            Some(account) => format!("Deleted by {account}"),
            None => "Deleted".to_owned(),
        },
    }
}
