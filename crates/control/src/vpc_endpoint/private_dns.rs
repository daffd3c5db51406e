//! Private DNS: a service's own names lead to an endpoint, inside its VPC (AWS PrivateLink Guide, "DNS names for
//! endpoints" and "Private DNS"; Amazon S3 User Guide, "AWS PrivateLink for Amazon S3").

use ec2_api::{CreateVpcEndpointRequest, DnsOptionsSpecification, ModifyVpcEndpointRequest};
use model::{InterfaceEndpoint, Vpc, VpcEndpoint, VpcEndpointState};

use super::describe;
use super::interface::invalid;
use crate::{Error, Transaction, parameter};

/// What private DNS is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PrivateDns {
    enabled: bool,
    only_for_inbound_resolver_endpoint: bool,
}

impl PrivateDns {
    /// Of a new endpoint. Where nothing is said, it is on if it can be.
    pub(super) fn of_new(
        tx: &Transaction<'_>,
        vpc: &Vpc,
        endpoint: &VpcEndpoint,
        request: &CreateVpcEndpointRequest,
    ) -> Result<Self, Error> {
        let region = tx.scope().region;
        let only = parse(&request.dns_options, endpoint.is_s3(region))?;
        let wanted = Self {
            enabled: request.private_dns_enabled.unwrap_or(true),
            only_for_inbound_resolver_endpoint: only.unwrap_or(endpoint.is_s3(region)),
        };
        let off = Self {
            enabled: false,
            only_for_inbound_resolver_endpoint: false,
        };
        match request.private_dns_enabled {
            Some(true) => Ok(wanted),
            Some(false) => off.or_refuse(only),
            None if check(tx, vpc, endpoint, wanted).is_ok() => Ok(wanted),
            None => off.or_refuse(only),
        }
    }

    /// Of an endpoint that is changed.
    pub(super) fn of_changed(
        before: &VpcEndpoint,
        own: &InterfaceEndpoint,
        request: &ModifyVpcEndpointRequest,
    ) -> Result<Self, Error> {
        let is_s3 = before.service_name.ends_with(".s3");
        let only = parse(&request.dns_options, is_s3)?;
        let enabled = request
            .private_dns_enabled
            .unwrap_or(own.private_dns_enabled);
        let goes_on = enabled && !own.private_dns_enabled;
        let unsaid = match goes_on {
            true => is_s3,
            false => enabled && own.private_dns_only_for_inbound_resolver_endpoint,
        };
        let wanted = Self {
            enabled,
            only_for_inbound_resolver_endpoint: enabled && only.unwrap_or(unsaid),
        };
        match enabled {
            true => Ok(wanted),
            false => wanted.or_refuse(only),
        }
    }

    /// Off, which leaves nothing to say of whom it is for.
    fn or_refuse(self, only_for_inbound_resolver_endpoint: Option<bool>) -> Result<Self, Error> {
        match only_for_inbound_resolver_endpoint {
            Some(true) => Err(invalid(
                "PrivateDnsOnlyForInboundResolverEndpoint requires private DNS to be enabled.",
            )),
            _ => Ok(self),
        }
    }
}

/// Gives an endpoint private DNS as wanted, if that can be.
pub(super) fn set(
    tx: &Transaction<'_>,
    vpc: &Vpc,
    endpoint: &VpcEndpoint,
    own: &mut InterfaceEndpoint,
    wanted: PrivateDns,
) -> Result<(), Error> {
    let now = PrivateDns {
        enabled: own.private_dns_enabled,
        only_for_inbound_resolver_endpoint: own.private_dns_only_for_inbound_resolver_endpoint,
    };
    if wanted != now {
        check(tx, vpc, endpoint, wanted)?;
    }
    own.private_dns_enabled = wanted.enabled;
    own.private_dns_only_for_inbound_resolver_endpoint = wanted.only_for_inbound_resolver_endpoint;
    Ok(())
}

/// Whether an S3 gateway endpoint must stay for an interface endpoint of its VPC.
pub(super) fn needs_gateway(tx: &Transaction<'_>, gateway: &VpcEndpoint) -> bool {
    let needs = |e: &VpcEndpoint| {
        let only = |own: &InterfaceEndpoint| own.private_dns_only_for_inbound_resolver_endpoint;
        same_service(e, gateway) && is_there(e) && e.interface().is_some_and(only)
    };
    let others =
        |e: &VpcEndpoint| same_service(e, gateway) && e.gateway().is_some() && e.id != gateway.id;
    tx.rows::<VpcEndpoint>().any(needs) && !tx.rows::<VpcEndpoint>().any(others)
}

fn check(
    tx: &Transaction<'_>,
    vpc: &Vpc,
    endpoint: &VpcEndpoint,
    wanted: PrivateDns,
) -> Result<(), Error> {
    if !wanted.enabled {
        return Ok(());
    }
    let names: &[String] = endpoint
        .interface()
        .map_or(&[], |own| own.private_names.as_slice());
    if names.is_empty() {
        return Err(invalid(format!(
            "Private DNS can't be enabled because the service {} does not provide a private DNS \
             name.",
            endpoint.service_name
        )));
    }
    if !vpc.enable_dns_support || !vpc.enable_dns_hostnames {
        return Err(invalid(format!(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC \
             attributes set to true for {}",
            vpc.id
        )));
    }
    let others = tx
        .rows::<VpcEndpoint>()
        .filter(|other| other.vpc_id == vpc.id && other.id != endpoint.id && is_there(other));
    let theirs = others.filter_map(VpcEndpoint::interface);
    let mut taken = theirs.filter(|own| own.private_dns_enabled);
    let conflict = taken.find_map(|own| names.iter().find(|n| own.private_names.contains(n)));
    if let Some(name) = conflict {
        return Err(invalid(format!(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain \
             for {name} in the VPC {}",
            vpc.id
        )));
    }
    let gateway = |other: &VpcEndpoint| same_service(other, endpoint) && other.gateway().is_some();
    if wanted.only_for_inbound_resolver_endpoint && !tx.rows::<VpcEndpoint>().any(gateway) {
        return Err(invalid(format!(
            "To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC {} must have a \
             Gateway endpoint for the service.",
            vpc.id
        )));
    }
    Ok(())
}

fn same_service(one: &VpcEndpoint, other: &VpcEndpoint) -> bool {
    (one.vpc_id, &one.service_name) == (other.vpc_id, &other.service_name)
}

fn is_there(endpoint: &VpcEndpoint) -> bool {
    endpoint.state != VpcEndpointState::Deleting
}

/// What is said of whom private DNS is for.
fn parse(given: &Option<DnsOptionsSpecification>, is_s3: bool) -> Result<Option<bool>, Error> {
    let Some(options) = given else {
        return Ok(None);
    };
    parameter::refuse_unsupported(&[
        (
            options.private_dns_preference.is_some(),
            "dnsOptions.privateDnsPreference",
        ),
        (
            !options.private_dns_specified_domains.is_empty(),
            "dnsOptions.privateDnsSpecifiedDomain",
        ),
    ])?;
    if let Some(text) = &options.dns_record_ip_type {
        let known = ["ipv4", "dualstack", "ipv6", describe::SERVICE_DEFINED];
        let kind = parameter::one_of(text, "DnsRecordIpType", &known)?;
        if kind != describe::IPV4 {
            return Err(Error::new(
                "UnsupportedOperation",
                format!("Interface endpoints with the DNS record type {kind} are not supported."),
            ));
        }
    }
    let only = options.private_dns_only_for_inbound_resolver_endpoint;
    if only.is_some() && !is_s3 {
        return Err(invalid(
            "PrivateDnsOnlyForInboundResolverEndpoint is only supported for services that have \
             both Gateway and Interface endpoints.",
        ));
    }
    Ok(only)
}
