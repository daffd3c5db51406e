//! Blocks that are kept from being given out (Amazon VPC User Guide, "Subnet CIDR reservations").

use ec2_api::{
    CreateSubnetCidrReservationRequest, CreateSubnetCidrReservationResponse,
    DeleteSubnetCidrReservationRequest, DeleteSubnetCidrReservationResponse,
    GetSubnetCidrReservationsRequest, GetSubnetCidrReservationsResponse,
};
use ipnet::IpNet;
use model::{Subnet, SubnetCidrReservation, SubnetCidrReservationId, SubnetId};

use crate::filter::Filters;
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, parameter};

const TYPE: &str = "subnet-cidr-reservation";

/// A reservation lies in the subnet and beside all others of it.
pub(crate) fn create_subnet_cidr_reservation(
    tx: &mut Transaction<'_>,
    request: &CreateSubnetCidrReservationRequest,
) -> Result<CreateSubnetCidrReservationResponse, Error> {
    let subnet_id: SubnetId = parameter::id(&request.subnet_id, "SubnetId")?;
    let text = parameter::required(&request.cidr, "Cidr")?;
    let cidr: IpNet = match text.contains(':') {
        true => parameter::ipv6_net(text, "Cidr")?.into(),
        false => parameter::ipv4_net(text, "Cidr")?.into(),
    };
    let for_prefixes =
        match parameter::required(&request.reservation_type, "ReservationType")?.as_str() {
            "prefix" => true,
            "explicit" => false,
            other => return Err(Error::invalid_value("reservationType", other, "")),
        };
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let subnet = tx.find::<Subnet>(subnet_id)?;
    let within = match cidr {
        IpNet::V4(cidr) => subnet.cidr.is_some_and(|own| own.contains(&cidr)),
        IpNet::V6(cidr) => {
            let mut blocks = subnet.ipv6_cidr_blocks.iter();
            blocks.any(|own| own.cidr.contains(&cidr))
        }
    };
    if !within {
        return Err(Error::InvalidParameterValue(format!(
            "The CIDR '{cidr}' is not within the subnet's CIDR range"
        )));
    }
    parameter::text(&request.description, "description", 255)?;
    let overlaps = |own: &IpNet| own.contains(&cidr) || cidr.contains(own);
    if of_subnet(tx, subnet_id).any(|own| overlaps(&own.cidr)) {
        return Err(Error::new(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{cidr}' conflicts with another reservation of the subnet"),
        ));
    }
    let reservation = SubnetCidrReservation {
        id: tx.id(),
        subnet_id,
        cidr,
        for_prefixes,
        description: request.description.clone().filter(|d| !d.is_empty()),
        tags,
    };
    tx.put(reservation.id, reservation.clone());
    Ok(CreateSubnetCidrReservationResponse {
        subnet_cidr_reservation: Some(shape(tx, &reservation)),
    })
}

const FILTERS: &[&str] = &["reservationType", "subnet-id"];

pub(crate) fn get_subnet_cidr_reservations(
    tx: &mut Transaction<'_>,
    request: &GetSubnetCidrReservationsRequest,
) -> Result<GetSubnetCidrReservationsResponse, Error> {
    let subnet_id: SubnetId = parameter::id(&request.subnet_id, "SubnetId")?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(request.max_results, &request.next_token, false, Page::USUAL)?;
    tx.find::<Subnet>(subnet_id)?;
    let passes = |row: &&SubnetCidrReservation| {
        filters.matches(&row.tags, |name| match name {
            "subnet-id" => vec![row.subnet_id.to_string()],
            _ => vec![kind(row).to_owned()],
        })
    };
    let rows = of_subnet(tx, subnet_id).filter(passes).collect();
    let (rows, next_token) = page.take(rows, |row| row.id.to_string());
    let (ipv4, ipv6): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|row| matches!(row.cidr, IpNet::V4(_)));
    let shapes = |rows: Vec<&SubnetCidrReservation>| {
        let shapes = rows.into_iter().map(|row| shape(tx, row));
        shapes.collect()
    };
    Ok(GetSubnetCidrReservationsResponse {
        subnet_ipv4_cidr_reservations: shapes(ipv4),
        subnet_ipv6_cidr_reservations: shapes(ipv6),
        next_token,
    })
}

/// Addresses that are in use stay in use.
pub(crate) fn delete_subnet_cidr_reservation(
    tx: &mut Transaction<'_>,
    request: &DeleteSubnetCidrReservationRequest,
) -> Result<DeleteSubnetCidrReservationResponse, Error> {
    let given = &request.subnet_cidr_reservation_id;
    let id: SubnetCidrReservationId = parameter::id(given, "SubnetCidrReservationId")?;
    let gone = tx.take::<SubnetCidrReservation>(id)?;
    tx.delete::<SubnetCidrReservation>(id);
    Ok(DeleteSubnetCidrReservationResponse {
        deleted_subnet_cidr_reservation: Some(shape(tx, &gone)),
    })
}

/// The reservations of a subnet that is deleted go with it.
pub(super) fn forget_subnet(tx: &mut Transaction<'_>, subnet_id: SubnetId) {
    let ids: Vec<_> = of_subnet(tx, subnet_id).map(|row| row.id).collect();
    for id in ids {
        tx.delete::<SubnetCidrReservation>(id);
    }
}

/// The reservations of a subnet.
pub(crate) fn of_subnet<'t>(
    tx: &'t Transaction<'_>,
    subnet_id: SubnetId,
) -> impl Iterator<Item = &'t SubnetCidrReservation> {
    tx.rows::<SubnetCidrReservation>()
        .filter(move |row| row.subnet_id == subnet_id)
}

fn kind(row: &SubnetCidrReservation) -> &'static str {
    if row.for_prefixes {
        "prefix"
    } else {
        "explicit"
    }
}

fn shape(tx: &Transaction<'_>, row: &SubnetCidrReservation) -> ec2_api::SubnetCidrReservation {
    ec2_api::SubnetCidrReservation {
        subnet_cidr_reservation_id: Some(row.id.to_string()),
        subnet_id: Some(row.subnet_id.to_string()),
        cidr: Some(row.cidr.to_string()),
        reservation_type: Some(kind(row).to_owned()),
        owner_id: Some(tx.scope().account.to_string()),
        description: row.description.clone(),
        tags: tag_set(&row.tags),
    }
}
