//! Blocks of VPCs (Amazon VPC User Guide, "VPC CIDR blocks").

use ec2_api::{
    AssociateVpcCidrBlockRequest, AssociateVpcCidrBlockResponse, DisassociateVpcCidrBlockRequest,
    DisassociateVpcCidrBlockResponse, VpcCidrBlockAssociation, VpcCidrBlockState,
    VpcIpv6CidrBlockAssociation,
};
use ipnet::{Ipv4Net, Ipv6Net};
use model::vpc::VpcCidrBlock;
use model::{Destination, Region, RouteTable, Subnet, Vpc, VpcCidrAssociationId, VpcId};

use crate::{
    Error, Transaction, network_acl, parameter, route_table, security_group, vpc_peering_connection,
};

const TEN: Ipv4Net = net([10, 0, 0, 0], 8);
const TEN_0: Ipv4Net = net([10, 0, 0, 0], 16);
const TEN_0_AND_1: Ipv4Net = net([10, 0, 0, 0], 15);
const ONE_SEVEN_TWO: Ipv4Net = net([172, 16, 0, 0], 12);
const ONE_SEVEN_TWO_31: Ipv4Net = net([172, 31, 0, 0], 16);
const ONE_NINE_TWO: Ipv4Net = net([192, 168, 0, 0], 16);
const ONE_NINE_EIGHT: Ipv4Net = net([198, 19, 0, 0], 16);

/// Ranges of which a VPC may hold only one.
const RESTRICTED: [Ipv4Net; 4] = [TEN, ONE_SEVEN_TWO, ONE_NINE_TWO, ONE_NINE_EIGHT];

const FORBIDDEN: [Ipv4Net; 4] = [
    net([0, 0, 0, 0], 8),
    net([127, 0, 0, 0], 8),
    net([169, 254, 0, 0], 16),
    net([224, 0, 0, 0], 4),
];

const fn net([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), length)
}

/// Whether a VPC may have a block at all.
pub(super) fn check_range(cidr: Ipv4Net) -> Result<(), Error> {
    let forbidden = FORBIDDEN.iter().any(|range| overlap(*range, cidr));
    if forbidden || !(16..=28).contains(&cidr.prefix_len()) {
        return Err(Error::new(
            "InvalidVpc.Range",
            format!("The CIDR '{cidr}' is invalid."),
        ));
    }
    Ok(())
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// The border group that a request may name is the Region.
pub(super) fn check_border_group(
    tx: &Transaction<'_>,
    group: &Option<String>,
    wants_ipv6: bool,
) -> Result<(), Error> {
    match group.as_deref() {
        None => Ok(()),
        Some(_) if !wants_ipv6 => Err(Error::InvalidParameterCombination(
            "The parameter ipv6CidrBlockNetworkBorderGroup requires the parameter \
             amazonProvidedIpv6CidrBlock"
                .to_owned(),
        )),
        Some(name) => {
            let region = tx.scope().region;
            parameter::one_of(name, "ipv6CidrBlockNetworkBorderGroup", &[region.name()])?;
            Ok(())
        }
    }
}

/// An Amazon-provided block that no VPC has yet, anywhere.
pub(super) fn choose_ipv6(tx: &mut Transaction<'_>) -> Ipv6Net {
    loop {
        // Any /56 of 2600:1f00::/24, a range of Amazon's.
        let chosen = tx.random() & 0xffff_ffff;
        let base = (0x0026_001f_u128 << 104) | (chosen << 72);
        let cidr = Ipv6Net::new_assert(base.into(), 56);
        let taken = tx
            .states()
            .flat_map(|(_, state)| state.vpcs.values())
            .flat_map(|vpc| &vpc.ipv6_cidr_blocks)
            .any(|block| block.cidr == cidr);
        if !taken {
            return cidr;
        }
    }
}

/// Adds a block to a VPC, with its local routes.
pub(crate) fn associate_vpc_cidr_block(
    tx: &mut Transaction<'_>,
    request: &AssociateVpcCidrBlockRequest,
) -> Result<AssociateVpcCidrBlockResponse, Error> {
    parameter::refuse_unsupported(&[
        (request.ipv4_ipam_pool_id.is_some(), "ipv4IpamPoolId"),
        (request.ipv4_netmask_length.is_some(), "ipv4NetmaskLength"),
        (request.ipv6_ipam_pool_id.is_some(), "ipv6IpamPoolId"),
        (request.ipv6_netmask_length.is_some(), "ipv6NetmaskLength"),
        (request.ipv6_pool.is_some(), "ipv6Pool"),
        (request.ipv6_cidr_block.is_some(), "ipv6CidrBlock"),
    ])?;
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let wants_ipv6 = request.amazon_provided_ipv6_cidr_block == Some(true);
    check_border_group(
        tx,
        &request.ipv6_cidr_block_network_border_group,
        wants_ipv6,
    )?;
    let vpc = tx.take::<Vpc>(vpc_id)?;
    let mut response = AssociateVpcCidrBlockResponse {
        vpc_id: Some(vpc_id.to_string()),
        ..Default::default()
    };
    match (&request.cidr_block, wants_ipv6) {
        (Some(_), true) => {
            return Err(Error::InvalidParameterCombination(
                "The parameters cidrBlock and amazonProvidedIpv6CidrBlock cannot be used together"
                    .to_owned(),
            ));
        }
        (None, false) => return Err(Error::MissingParameter("cidrBlock")),
        (Some(cidr), false) => {
            let cidr = parameter::ipv4_net(cidr, "cidrBlock")?;
            let block = add_ipv4(tx, vpc, cidr)?;
            response.cidr_block_association = Some(ipv4_shape(&block, "associating"));
        }
        (None, true) => {
            let block = add_ipv6(tx, vpc)?;
            let region = tx.scope().region;
            response.ipv6_cidr_block_association = Some(ipv6_shape(region, &block, "associating"));
        }
    }
    Ok(response)
}

fn add_ipv4(
    tx: &mut Transaction<'_>,
    mut vpc: Vpc,
    cidr: Ipv4Net,
) -> Result<VpcCidrBlock<Ipv4Net>, Error> {
    check_range(cidr)?;
    if vpc.cidr_blocks.iter().any(|b| overlap(b.cidr, cidr)) {
        return Err(Error::new(
            "InvalidVpc.Conflict",
            format!("The CIDR '{cidr}' conflicts with an existing CIDR block of the VPC"),
        ));
    }
    let primary_is_free = vpc
        .primary_cidr()
        .is_some_and(|own| range_of(own).is_none());
    let restricted = (primary_is_free && range_of(cidr).is_some())
        || vpc.cidr_blocks.iter().any(|b| excludes(b.cidr, cidr));
    if restricted {
        return Err(Error::new(
            "InvalidVpc.Range",
            format!(
                "The CIDR '{cidr}' is restricted. Use a CIDR from the same private address range \
                 as the current VPC CIDR, or use a publicly-routable CIDR. For additional \
                 restrictions, see \
                 https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"
            ),
        ));
    }
    check_routes(tx, vpc.id, cidr)?;
    vpc_peering_connection::check_new_block(tx, vpc.id, cidr.into())?;
    check_quota(tx, vpc.id, vpc.cidr_blocks.len())?;
    let block = VpcCidrBlock {
        association_id: tx.id(),
        cidr,
    };
    vpc.cidr_blocks.push(block.clone());
    route_table::add_local_routes(tx, vpc.id, Destination::Ipv4(cidr));
    vpc_peering_connection::blocks_changed(tx, &vpc);
    tx.put(vpc.id, vpc);
    Ok(block)
}

fn range_of(cidr: Ipv4Net) -> Option<Ipv4Net> {
    RESTRICTED.into_iter().find(|range| range.contains(&cidr))
}

/// Whether a block of a VPC keeps another one out.
fn excludes(own: Ipv4Net, new: Ipv4Net) -> bool {
    let (Some(own_range), Some(new_range)) = (range_of(own), range_of(new)) else {
        return false;
    };
    own_range != new_range
        || (TEN_0_AND_1.contains(&own) && TEN_0.contains(&new))
        || (own_range == ONE_SEVEN_TWO && ONE_SEVEN_TWO_31.contains(&new))
}

/// A block may not be equal to or larger than the destination of a route.
fn check_routes(tx: &Transaction<'_>, vpc_id: VpcId, cidr: Ipv4Net) -> Result<(), Error> {
    let covered = |destination: &Destination| matches!(destination, Destination::Ipv4(net) if cidr.contains(net));
    let table = tx
        .rows::<RouteTable>()
        .filter(|table| table.vpc_id == vpc_id)
        .find(|table| table.routes.iter().any(|r| covered(&r.destination)));
    match table {
        None => Ok(()),
        Some(table) => Err(Error::new(
            "InvalidVpc.Range",
            format!(
                "The CIDR '{cidr}' is equal to or larger than the destination of a route in route \
                 table {}",
                table.id
            ),
        )),
    }
}

fn check_quota(tx: &Transaction<'_>, vpc_id: VpcId, used: usize) -> Result<(), Error> {
    tx.quotas().cidrs(used).map_err(|error| match error {
        Error::LimitExceeded { code, message } => Error::LimitExceeded {
            code,
            message: message.replace("network", &format!("network {vpc_id}")),
        },
        other => other,
    })
}

fn add_ipv6(tx: &mut Transaction<'_>, mut vpc: Vpc) -> Result<VpcCidrBlock<Ipv6Net>, Error> {
    check_quota(tx, vpc.id, vpc.ipv6_cidr_blocks.len())?;
    let cidr = choose_ipv6(tx);
    vpc_peering_connection::check_new_block(tx, vpc.id, cidr.into())?;
    let block = VpcCidrBlock {
        cidr,
        association_id: tx.id(),
    };
    vpc.ipv6_cidr_blocks.push(block.clone());
    route_table::add_local_routes(tx, vpc.id, Destination::Ipv6(block.cidr));
    network_acl::add_ipv6_rules(tx, vpc.id);
    security_group::add_ipv6_rules(tx, vpc.id);
    vpc_peering_connection::blocks_changed(tx, &vpc);
    tx.put(vpc.id, vpc);
    Ok(block)
}

/// Takes a block away from a VPC, with its local routes.
pub(crate) fn disassociate_vpc_cidr_block(
    tx: &mut Transaction<'_>,
    request: &DisassociateVpcCidrBlockRequest,
) -> Result<DisassociateVpcCidrBlockResponse, Error> {
    let id: VpcCidrAssociationId = parameter::id(&request.association_id, "associationId")?;
    let holds = |vpc: &&Vpc| {
        let v4 = vpc.cidr_blocks.iter().map(|b| b.association_id);
        let mut all = v4.chain(vpc.ipv6_cidr_blocks.iter().map(|b| b.association_id));
        all.any(|own| own == id)
    };
    let mut vpc = tx
        .rows::<Vpc>()
        .find(holds)
        .cloned()
        .ok_or(Error::NotFound(id.into()))?;
    let mut response = DisassociateVpcCidrBlockResponse {
        vpc_id: Some(vpc.id.to_string()),
        ..Default::default()
    };
    let at_ipv4 = vpc.cidr_blocks.iter().position(|b| b.association_id == id);
    let destination = match at_ipv4 {
        Some(0) => {
            return Err(Error::new(
                "OperationNotPermitted",
                format!(
                    "The vpc CIDR block with association ID {id} may not be disassociated. It is \
                     the primary IPv4 CIDR block of the VPC"
                ),
            ));
        }
        Some(at) => {
            let block = vpc.cidr_blocks.remove(at);
            response.cidr_block_association = Some(ipv4_shape(&block, "disassociating"));
            Destination::Ipv4(block.cidr)
        }
        None => {
            let at = vpc
                .ipv6_cidr_blocks
                .iter()
                .position(|b| b.association_id == id)
                .ok_or(Error::NotFound(id.into()))?;
            let block = vpc.ipv6_cidr_blocks.remove(at);
            let region = tx.scope().region;
            response.ipv6_cidr_block_association =
                Some(ipv6_shape(region, &block, "disassociating"));
            Destination::Ipv6(block.cidr)
        }
    };
    if in_use(tx, vpc.id, destination) {
        return Err(Error::DependencyViolation(id.into()));
    }
    route_table::remove_routes(tx, vpc.id, destination);
    vpc_peering_connection::blocks_changed(tx, &vpc);
    tx.put(vpc.id, vpc);
    Ok(response)
}

/// Whether a subnet lies in a block.
fn in_use(tx: &Transaction<'_>, vpc_id: VpcId, block: Destination) -> bool {
    tx.rows::<Subnet>()
        .filter(|subnet| subnet.vpc_id == vpc_id)
        .any(|subnet| match block {
            Destination::PrefixList(_) => false,
            Destination::Ipv4(net) => subnet.cidr.is_some_and(|own| net.contains(&own)),
            Destination::Ipv6(net) => subnet
                .ipv6_cidr_blocks
                .iter()
                .any(|own| net.contains(&own.cidr)),
        })
}

/// The state of an association.
pub(super) fn state(state: &str) -> VpcCidrBlockState {
    VpcCidrBlockState {
        state: Some(state.to_owned()),
        status_message: None,
    }
}

pub(super) fn ipv4_shape(block: &VpcCidrBlock<Ipv4Net>, now: &str) -> VpcCidrBlockAssociation {
    VpcCidrBlockAssociation {
        association_id: Some(block.association_id.to_string()),
        cidr_block: Some(block.cidr.to_string()),
        cidr_block_state: Some(state(now)),
    }
}

pub(super) fn ipv6_shape(
    region: Region,
    block: &VpcCidrBlock<Ipv6Net>,
    now: &str,
) -> VpcIpv6CidrBlockAssociation {
    VpcIpv6CidrBlockAssociation {
        association_id: Some(block.association_id.to_string()),
        ipv6_cidr_block: Some(block.cidr.to_string()),
        ipv6_cidr_block_state: Some(state(now)),
        network_border_group: Some(region.to_string()),
        ipv6_pool: Some("Amazon".to_owned()),
        ipv6_address_attribute: Some("public".to_owned()),
        ip_source: Some("amazon".to_owned()),
    }
}
