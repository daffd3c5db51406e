//! Services that endpoints can lead to.

use std::collections::BTreeSet;

use ec2_api::{
    DescribeVpcEndpointServicesRequest, DescribeVpcEndpointServicesResponse, PrivateDnsDetails,
    ServiceDetail, ServiceTypeDetail,
};
use model::{AvailabilityZone, Region, Scope, Tags, VpcEndpointService};

use crate::filter::{Filters, optional};
use crate::page::Page;
use crate::{Error, Transaction};

pub(super) const GATEWAY: &str = "Gateway";
pub(super) const INTERFACE: &str = "Interface";

/// A service of AWS's, as one type of endpoint sees it. What has two types is here twice, as in AWS.
struct Service {
    /// How its name ends, as in `com.amazonaws.us-east-1.s3`.
    name: &'static str,
    endpoint_type: &'static str,
    /// What precedes `<region>.amazonaws.com` in the names that private DNS takes over.
    private_names: &'static [&'static str],
}

const SERVICES: &[Service] = &[
    gateway("dynamodb"),
    interface("ec2", &["ec2"]),
    interface("kinesis-firehose", &["firehose"]),
    interface("logs", &["logs"]),
    gateway("s3"),
    interface("s3", &["s3", "*.s3"]),
    interface("sts", &["sts"]),
];

const fn gateway(name: &'static str) -> Service {
    Service {
        name,
        endpoint_type: GATEWAY,
        private_names: &[],
    }
}

const fn interface(name: &'static str, private_names: &'static [&'static str]) -> Service {
    Service {
        name,
        endpoint_type: INTERFACE,
        private_names,
    }
}

impl Service {
    fn full_name(&self, region: Region) -> String {
        format!("com.amazonaws.{region}.{}", self.name)
    }

    fn private_names(&self, region: Region) -> impl Iterator<Item = String> {
        let name = move |first: &&str| format!("{first}.{region}.amazonaws.com");
        self.private_names.iter().map(name)
    }

    /// The same for ever, made of the name.
    fn id(&self, region: Region) -> String {
        let text = format!("{} {}", self.full_name(region), self.endpoint_type);
        format!("vpce-svc-{:017x}", hash(&text) >> 60)
    }

    fn base_name(&self, region: Region) -> String {
        match self.endpoint_type {
            GATEWAY => format!("{}.{region}.amazonaws.com", self.name),
            _ => format!("{}.{region}.vpce.amazonaws.com", self.name),
        }
    }
}

/// No service has this name.
pub(super) fn unknown(name: &str) -> Error {
    Error::new(
        "InvalidServiceName",
        format!("The Vpc Endpoint Service '{name}' does not exist"),
    )
}

/// What an endpoint needs to know of its service.
pub(super) struct Found {
    /// The names that private DNS takes over.
    pub(super) private_names: Vec<String>,
    /// Whose endpoint service it is; AWS's own if absent.
    pub(super) provider: Option<Scope>,
    /// Whether its owner accepts each endpoint.
    pub(super) acceptance_required: bool,
    /// The zones that it is in.
    pub(super) zones: Vec<AvailabilityZone>,
}

/// The service of a name, if it takes endpoints of a type and the caller may use it.
pub(super) fn find(tx: &Transaction<'_>, name: &str, endpoint_type: &str) -> Result<Found, Error> {
    let region = tx.scope().region;
    if let Some((provider, service)) = shared(tx).find(|(_, s)| s.name(region) == name) {
        if !service.admits(provider.account, tx.scope().account) {
            return Err(unknown(name));
        }
        if endpoint_type != INTERFACE {
            return Err(mismatch(endpoint_type, &[INTERFACE]));
        }
        return Ok(Found {
            private_names: Vec::new(),
            provider: Some(provider),
            acceptance_required: service.acceptance_required,
            zones: zones_of(tx, provider, service),
        });
    }
    let named = || SERVICES.iter().filter(|s| s.full_name(region) == name);
    let types: Vec<&str> = named().map(|s| s.endpoint_type).collect();
    if types.is_empty() {
        return Err(unknown(name));
    }
    let fits = named().find(|s| s.endpoint_type == endpoint_type);
    let service = fits.ok_or_else(|| mismatch(endpoint_type, &types))?;
    Ok(Found {
        private_names: service.private_names(region).collect(),
        provider: None,
        acceptance_required: false,
        zones: region.zones().collect(),
    })
}

/// The zones that the service of an endpoint is in, whether or not its owner would still let others use it.
pub(super) fn zones(tx: &Transaction<'_>, name: &str) -> Vec<AvailabilityZone> {
    let region = tx.scope().region;
    let found = shared(tx).find(|(_, s)| s.name(region) == name);
    match found {
        Some((provider, service)) => zones_of(tx, provider, service),
        None => region.zones().collect(),
    }
}

/// Endpoint services of anybody in the caller's Region.
fn shared<'t>(
    tx: &'t Transaction<'_>,
) -> impl Iterator<Item = (Scope, &'t VpcEndpointService)> + 't {
    let region = tx.scope().region;
    let here = tx.states().filter(move |(scope, _)| scope.region == region);
    here.flat_map(|(scope, state)| {
        let own = state.vpc_endpoint_services.values();
        own.map(move |service| (scope, service))
    })
}

/// Those of a service's load balancers.
fn zones_of(
    tx: &Transaction<'_>,
    provider: Scope,
    service: &VpcEndpointService,
) -> Vec<AvailabilityZone> {
    let Some(state) = tx.state_of(provider) else {
        return Vec::new();
    };
    let balancers = service.load_balancers.iter();
    let nodes = balancers
        .filter_map(|id| state.load_balancers.get(id))
        .flat_map(|balancer| &balancer.nodes);
    let zones: BTreeSet<AvailabilityZone> = nodes.map(|node| node.zone).collect();
    zones.into_iter().collect()
}

fn mismatch(endpoint_type: &str, types: &[&str]) -> Error {
    let types = types.join(", ");
    Error::new(
        "InvalidParameter",
        format!(
            "Endpoint type ({endpoint_type}) does not match available service types ([{types}])."
        ),
    )
}

/// FNV-1a, for ids that are the same for ever.
pub(super) fn hash(text: &str) -> u128 {
    let step = |hash: u128, byte: u8| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    };
    text.bytes()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, step)
}

const FILTERS: &[&str] = &[
    "owner",
    "service-name",
    "service-region",
    "service-type",
    "supported-ip-address-types",
];

/// Lists services, once for each type of endpoint that they take.
pub(crate) fn describe_vpc_endpoint_services(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcEndpointServicesRequest,
) -> Result<DescribeVpcEndpointServicesResponse, Error> {
    let region = tx.scope().region;
    let names = &request.service_names;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(request.max_results, &request.next_token, false, 1..=1000)?;
    if let Some(other) = request
        .service_regions
        .iter()
        .find(|other| *other != region.name())
    {
        return Err(Error::new(
            "UnsupportedOperation",
            format!("Services of another Region ({other}) are not supported."),
        ));
    }
    let mut rows: Vec<ServiceDetail> = SERVICES.iter().map(|s| shape(s, region)).collect();
    let open = shared(tx)
        .filter(|(provider, service)| service.admits(provider.account, tx.scope().account));
    rows.extend(open.map(|(provider, service)| shape_shared(tx, provider, service)));
    let name_of = |row: &ServiceDetail| row.service_name.clone().unwrap_or_default();
    let known = |name: &&String| rows.iter().any(|row| name_of(row) == **name);
    if let Some(name) = names.iter().find(|name| !known(name)) {
        return Err(unknown(name));
    }
    rows.retain(|row| {
        let listed = names.is_empty() || names.contains(&name_of(row));
        let value = |filter: &str| match filter {
            "owner" => optional(row.owner.clone()),
            "service-name" => optional(row.service_name.clone()),
            "service-region" => optional(row.service_region.clone()),
            "service-type" => optional(type_of(row)),
            _ => row.supported_ip_address_types.clone(),
        };
        listed && filters.matches(&Tags::new(), value)
    });
    let place =
        |row: &ServiceDetail| format!("{} {}", name_of(row), type_of(row).unwrap_or_default());
    let (rows, next_token) = page.take(rows, place);
    Ok(DescribeVpcEndpointServicesResponse {
        service_names: rows.iter().map(name_of).collect(),
        service_details: rows,
        next_token,
    })
}

fn type_of(row: &ServiceDetail) -> Option<String> {
    row.service_type.first()?.service_type.clone()
}

fn shape_shared(
    tx: &Transaction<'_>,
    provider: Scope,
    service: &VpcEndpointService,
) -> ServiceDetail {
    let region = provider.region;
    let zones = zones_of(tx, provider, service);
    ServiceDetail {
        service_name: Some(service.name(region)),
        service_id: Some(service.id.to_string()),
        service_type: vec![ServiceTypeDetail {
            service_type: Some(INTERFACE.to_owned()),
        }],
        service_region: Some(region.to_string()),
        availability_zone_ids: zones.iter().map(|zone| zone.zone_id()).collect(),
        availability_zones: zones.iter().map(ToString::to_string).collect(),
        owner: Some(provider.account.to_string()),
        base_endpoint_dns_names: vec![service.base_dns_name(region)],
        vpc_endpoint_policy_supported: Some(false),
        acceptance_required: Some(service.acceptance_required),
        manages_vpc_endpoints: Some(false),
        supported_ip_address_types: vec!["ipv4".to_owned()],
        ..Default::default()
    }
}

fn shape(service: &Service, region: Region) -> ServiceDetail {
    let private: Vec<String> = service.private_names(region).collect();
    let details = |name: &String| PrivateDnsDetails {
        private_dns_name: Some(name.clone()),
    };
    ServiceDetail {
        service_name: Some(service.full_name(region)),
        service_id: Some(service.id(region)),
        service_type: vec![ServiceTypeDetail {
            service_type: Some(service.endpoint_type.to_owned()),
        }],
        service_region: Some(region.to_string()),
        availability_zone_ids: region.zones().map(AvailabilityZone::zone_id).collect(),
        availability_zones: region.zones().map(|zone| zone.to_string()).collect(),
        owner: Some("amazon".to_owned()),
        base_endpoint_dns_names: vec![service.base_name(region)],
        private_dns_name: private.first().cloned(),
        private_dns_names: private.iter().map(details).collect(),
        vpc_endpoint_policy_supported: Some(true),
        acceptance_required: Some(false),
        manages_vpc_endpoints: Some(false),
        private_dns_name_verification_state: (!private.is_empty()).then(|| "verified".to_owned()),
        supported_ip_address_types: vec!["ipv4".to_owned()],
        ..Default::default()
    }
}
