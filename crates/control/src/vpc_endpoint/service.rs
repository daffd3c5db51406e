//! Services that endpoints can lead to.

use ec2_api::{
    DescribeVpcEndpointServicesRequest, DescribeVpcEndpointServicesResponse, PrivateDnsDetails,
    ServiceDetail, ServiceTypeDetail,
};
use model::{AvailabilityZone, Region, Tags};

use crate::filter::Filters;
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
        let step = |hash: u128, byte: u8| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        };
        let hash = text
            .bytes()
            .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, step);
        format!("vpce-svc-{:017x}", hash >> 60)
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

/// Whether a service exists in a Region, and takes endpoints of a type.
pub(super) fn check_type(region: Region, name: &str, endpoint_type: &str) -> Result<(), Error> {
    let named = SERVICES.iter().filter(|s| s.full_name(region) == name);
    let types: Vec<&str> = named.map(|s| s.endpoint_type).collect();
    if types.is_empty() {
        return Err(unknown(name));
    }
    if !types.contains(&endpoint_type) {
        return Err(Error::new(
            "InvalidParameter",
            format!(
                "Endpoint type ({endpoint_type}) does not match available service types ([{}]).",
                types.join(", ")
            ),
        ));
    }
    Ok(())
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
    let known = |name: &&String| SERVICES.iter().any(|s| s.full_name(region) == **name);
    if let Some(name) = names.iter().find(|name| !known(name)) {
        return Err(unknown(name));
    }
    let mut rows: Vec<&Service> = SERVICES.iter().collect();
    rows.retain(|service| {
        let name = service.full_name(region);
        let listed = names.is_empty() || names.contains(&name);
        let value = |filter: &str| match filter {
            "owner" => "amazon".to_owned(),
            "service-name" => name.clone(),
            "service-region" => region.to_string(),
            "service-type" => service.endpoint_type.to_owned(),
            _ => "ipv4".to_owned(),
        };
        listed && filters.matches(&Tags::new(), |filter| vec![value(filter)])
    });
    let (rows, next_token) = page.take(rows, |s| format!("{} {}", s.name, s.endpoint_type));
    Ok(DescribeVpcEndpointServicesResponse {
        service_names: rows.iter().map(|s| s.full_name(region)).collect(),
        service_details: rows.iter().map(|s| shape(s, region)).collect(),
        next_token,
    })
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
