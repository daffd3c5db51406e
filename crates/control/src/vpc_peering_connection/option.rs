//! Options of peering connections (Amazon VPC Peering Guide, "Enable DNS resolution for a VPC
//! peering connection").

use ec2_api::{
    ModifyVpcPeeringConnectionOptionsRequest, ModifyVpcPeeringConnectionOptionsResponse,
    PeeringConnectionOptions, PeeringConnectionOptionsRequest,
};
use model::{PeeringSide, PeeringStatus, VpcPeeringConnection};

use super::{find, life, not_permitted, put};
use crate::{Error, Transaction, parameter};

/// Sets the options of the caller's side, or of both if the caller has both in this Region.
pub(crate) fn modify_vpc_peering_connection_options(
    tx: &mut Transaction<'_>,
    request: &ModifyVpcPeeringConnectionOptionsRequest,
) -> Result<ModifyVpcPeeringConnectionOptionsResponse, Error> {
    let id = parameter::id(&request.vpc_peering_connection_id, "vpcPeeringConnectionId")?;
    let requester = request.requester_peering_connection_options.as_ref();
    let accepter = request.accepter_peering_connection_options.as_ref();
    if requester.is_none() && accepter.is_none() {
        return Err(Error::InvalidParameterCombination(
            "At least one of requesterPeeringConnectionOptions and \
             accepterPeeringConnectionOptions must be given"
                .to_owned(),
        ));
    }
    let mut peering = find(tx, id)?;
    if peering.status != PeeringStatus::Active {
        return Err(not_permitted(format!(
            "Peering {id} is not active. Peering options can be added only to active peerings."
        )));
    }
    for (given, side, name) in [
        (requester, &peering.requester, "requester"),
        (accepter, &peering.accepter, "accepter"),
    ] {
        if let Some(options) = given {
            check_side(tx, side, name)?;
            check(tx, &peering, options)?;
        }
    }
    let requester = requester.map(|options| set(&mut peering.requester, options));
    let accepter = accepter.map(|options| set(&mut peering.accepter, options));
    put(tx, peering);
    Ok(ModifyVpcPeeringConnectionOptionsResponse {
        accepter_peering_connection_options: accepter,
        requester_peering_connection_options: requester,
    })
}

/// Each side grants for its own VPC, where that VPC is.
fn check_side(tx: &Transaction<'_>, side: &PeeringSide, name: &str) -> Result<(), Error> {
    if side.scope.account != tx.scope().account {
        return Err(not_permitted(format!(
            "User {} does not have permission to modify the {name} side peering options",
            tx.scope().account
        )));
    }
    if side.scope.region != tx.scope().region {
        let owner = if name == "requester" {
            "Requester's"
        } else {
            "Accepter's"
        };
        return Err(not_permitted(format!(
            "{owner} VPC Peering connection options cannot be modified for a different region"
        )));
    }
    Ok(())
}

fn check(
    tx: &Transaction<'_>,
    peering: &VpcPeeringConnection,
    options: &PeeringConnectionOptionsRequest,
) -> Result<(), Error> {
    let retired = [
        (
            options.allow_egress_from_local_classic_link_to_remote_vpc,
            "allowEgressFromLocalClassicLinkToRemoteVpc",
        ),
        (
            options.allow_egress_from_local_vpc_to_remote_classic_link,
            "allowEgressFromLocalVpcToRemoteClassicLink",
        ),
    ];
    if let Some((_, name)) = retired.iter().find(|(value, _)| *value == Some(true)) {
        return Err(Error::invalid_value(
            name,
            true,
            "EC2-Classic has been retired.",
        ));
    }
    let has_names = |side: &PeeringSide| {
        life::vpc(tx, side).is_some_and(|vpc| vpc.enable_dns_support && vpc.enable_dns_hostnames)
    };
    if options.allow_dns_resolution_from_remote_vpc == Some(true)
        && !(has_names(&peering.requester) && has_names(&peering.accepter))
    {
        return Err(Error::new(
            "InvalidVpcPeeringConnectionState.DnsHostnamesDisabled",
            format!(
                "DNS resolution over {} requires DNS support and DNS hostnames to be enabled for \
                 both VPCs.",
                peering.id
            ),
        ));
    }
    Ok(())
}

fn set(
    side: &mut PeeringSide,
    options: &PeeringConnectionOptionsRequest,
) -> PeeringConnectionOptions {
    if let Some(allow) = options.allow_dns_resolution_from_remote_vpc {
        side.allow_dns_resolution_from_remote_vpc = allow;
    }
    PeeringConnectionOptions {
        allow_dns_resolution_from_remote_vpc: Some(side.allow_dns_resolution_from_remote_vpc),
        allow_egress_from_local_classic_link_to_remote_vpc: Some(false),
        allow_egress_from_local_vpc_to_remote_classic_link: Some(false),
    }
}
