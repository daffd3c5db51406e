//! Transit gateways (Amazon VPC Transit Gateways, "How it works"): there are none here, and who looks is told so.

use ec2_api::{DescribeTransitGatewaysRequest, DescribeTransitGatewaysResponse};

use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

/// Lists no transit gateway.
pub(crate) fn describe_transit_gateways(
    _: &mut Transaction<'_>,
    request: &DescribeTransitGatewaysRequest,
) -> Result<DescribeTransitGatewaysResponse, Error> {
    let named = !request.transit_gateway_ids.is_empty();
    Page::parse(request.max_results, &request.next_token, named, Page::USUAL)?;
    Filters::parse(&request.filters, FILTERS)?;
    if let Some(id) = parameter::absent_id(&request.transit_gateway_ids, "tgw-")? {
        return Err(Error::new(
            "InvalidTransitGatewayID.NotFound",
            format!("Transit Gateway {id} was deleted or does not exist."),
        ));
    }
    Ok(DescribeTransitGatewaysResponse::default())
}

const FILTERS: &[&str] = &[
    "options.amazon-side-asn",
    "options.association-default-route-table-id",
    "options.auto-accept-shared-attachments",
    "options.default-route-table-association",
    "options.default-route-table-propagation",
    "options.dns-support",
    "options.propagation-default-route-table-id",
    "options.vpn-ecmp-support",
    "owner-id",
    "state",
    "transit-gateway-id",
];
