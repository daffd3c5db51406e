//! Blocks of subnets (Amazon VPC User Guide, "Subnet CIDR blocks").

use ec2_api::{
    AssociateSubnetCidrBlockRequest, AssociateSubnetCidrBlockResponse,
    DisassociateSubnetCidrBlockRequest, DisassociateSubnetCidrBlockResponse, SubnetCidrBlockState,
    SubnetIpv6CidrBlockAssociation,
};
use ipnet::{Ipv4Net, Ipv6Net};
use model::subnet::SubnetIpv6CidrBlock;
use model::{NetworkInterface, Owner, Subnet, SubnetCidrAssociationId, SubnetId, Vpc};

use crate::{Error, Transaction, parameter};

/// Whether a VPC has room for a subnet with this block.
pub(super) fn check_ipv4(tx: &Transaction<'_>, vpc: &Vpc, cidr: Ipv4Net) -> Result<(), Error> {
    let sized = (16..=28).contains(&cidr.prefix_len());
    if !sized || !vpc.cidr_blocks.iter().any(|b| b.cidr.contains(&cidr)) {
        return Err(invalid_range(cidr));
    }
    let mut siblings = tx.rows::<Subnet>().filter(|s| s.vpc_id == vpc.id);
    let overlaps = |own: Ipv4Net| own.contains(&cidr) || cidr.contains(&own);
    if siblings.any(|s| s.cidr.is_some_and(overlaps)) {
        return Err(conflict(cidr));
    }
    Ok(())
}

/// Whether a VPC has room for a subnet with this IPv6 block.
pub(super) fn check_ipv6(tx: &Transaction<'_>, vpc: &Vpc, cidr: Ipv6Net) -> Result<(), Error> {
    let length = cidr.prefix_len();
    let sized = (44..=64).contains(&length) && length.is_multiple_of(4);
    if !sized || !vpc.ipv6_cidr_blocks.iter().any(|b| b.cidr.contains(&cidr)) {
        return Err(invalid_range(cidr));
    }
    let overlaps = |own: &SubnetIpv6CidrBlock| own.cidr.contains(&cidr) || cidr.contains(&own.cidr);
    let mut siblings = tx.rows::<Subnet>().filter(|s| s.vpc_id == vpc.id);
    if siblings.any(|s| s.ipv6_cidr_blocks.iter().any(overlaps)) {
        return Err(conflict(cidr));
    }
    Ok(())
}

fn invalid_range(cidr: impl std::fmt::Display) -> Error {
    Error::new(
        "InvalidSubnet.Range",
        format!("The CIDR '{cidr}' is invalid."),
    )
}

fn conflict(cidr: impl std::fmt::Display) -> Error {
    Error::new(
        "InvalidSubnet.Conflict",
        format!("The CIDR '{cidr}' conflicts with another subnet"),
    )
}

/// Gives a subnet its IPv6 block; it can have one ("Amazon VPC quotas").
pub(crate) fn associate_subnet_cidr_block(
    tx: &mut Transaction<'_>,
    request: &AssociateSubnetCidrBlockRequest,
) -> Result<AssociateSubnetCidrBlockResponse, Error> {
    parameter::refuse_unsupported(&[
        (request.ipv6_ipam_pool_id.is_some(), "ipv6IpamPoolId"),
        (request.ipv6_netmask_length.is_some(), "ipv6NetmaskLength"),
    ])?;
    let id: SubnetId = parameter::id(&request.subnet_id, "subnetId")?;
    let cidr = parameter::required(&request.ipv6_cidr_block, "ipv6CidrBlock")?;
    let cidr = parameter::ipv6_net(cidr, "ipv6CidrBlock")?;
    let mut subnet = tx.take::<Subnet>(id)?;
    if !subnet.ipv6_cidr_blocks.is_empty() {
        return Err(Error::LimitExceeded {
            code: "CidrLimitExceeded",
            message: format!("This subnet {id} has met its maximum number of allowed CIDRs: 1"),
        });
    }
    check_ipv6(tx, tx.find(subnet.vpc_id)?, cidr)?;
    let block = SubnetIpv6CidrBlock {
        association_id: tx.id(),
        cidr,
    };
    let response = AssociateSubnetCidrBlockResponse {
        ipv6_cidr_block_association: Some(shape(&block, "associating")),
        subnet_id: Some(id.to_string()),
    };
    subnet.ipv6_cidr_blocks.push(block);
    tx.put(id, subnet);
    Ok(response)
}

/// Takes the IPv6 block away from a subnet, if no interface uses it.
pub(crate) fn disassociate_subnet_cidr_block(
    tx: &mut Transaction<'_>,
    request: &DisassociateSubnetCidrBlockRequest,
) -> Result<DisassociateSubnetCidrBlockResponse, Error> {
    let id: SubnetCidrAssociationId = parameter::id(&request.association_id, "associationId")?;
    let holder = |s: &&Subnet| s.ipv6_cidr_blocks.iter().any(|b| b.association_id == id);
    let subnet = tx.rows::<Subnet>().find(holder);
    let mut subnet = subnet.cloned().ok_or(Error::NotFound(id.into()))?;
    if subnet.ipv6_native {
        return Err(Error::new(
            "OperationNotPermitted",
            format!(
                "The subnet CIDR block with association ID {id} may not be disassociated. It is \
                 the only CIDR block of an IPv6-only subnet"
            ),
        ));
    }
    let (gone, kept): (Vec<_>, Vec<_>) = subnet
        .ipv6_cidr_blocks
        .into_iter()
        .partition(|block| block.association_id == id);
    let in_use = |eni: &NetworkInterface| {
        let mut addresses = eni.ipv6_addresses.iter();
        addresses.any(|a| gone.iter().any(|b| b.cidr.contains(a)))
    };
    let table = &tx.state().network_interfaces;
    if table.of(Owner::Subnet(subnet.id)).any(in_use) {
        return Err(Error::DependencyViolation(id.into()));
    }
    let response = DisassociateSubnetCidrBlockResponse {
        ipv6_cidr_block_association: gone.first().map(|block| shape(block, "disassociating")),
        subnet_id: Some(subnet.id.to_string()),
    };
    subnet.ipv6_cidr_blocks = kept;
    subnet.assign_ipv6_address_on_creation = false;
    tx.put(subnet.id, subnet);
    Ok(response)
}

/// The state of an association.
pub(super) fn state(state: &str) -> SubnetCidrBlockState {
    SubnetCidrBlockState {
        state: Some(state.to_owned()),
        status_message: None,
    }
}

pub(super) fn shape(block: &SubnetIpv6CidrBlock, now: &str) -> SubnetIpv6CidrBlockAssociation {
    SubnetIpv6CidrBlockAssociation {
        association_id: Some(block.association_id.to_string()),
        ipv6_cidr_block: Some(block.cidr.to_string()),
        ipv6_cidr_block_state: Some(state(now)),
        ipv6_address_attribute: Some("public".to_owned()),
        ip_source: Some("amazon".to_owned()),
    }
}
