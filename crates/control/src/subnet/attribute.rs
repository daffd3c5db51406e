//! Attributes of subnets (Amazon EC2 API Reference, "ModifySubnetAttribute").

use ec2_api::{ModifySubnetAttributeRequest, ModifySubnetAttributeResponse};
use model::Subnet;

use crate::vpc::not_one_attribute;
use crate::{Error, Transaction, parameter};

/// Changes exactly one attribute.
pub(crate) fn modify_subnet_attribute(
    tx: &mut Transaction<'_>,
    request: &ModifySubnetAttributeRequest,
) -> Result<ModifySubnetAttributeResponse, Error> {
    let mut subnet = tx.take::<Subnet>(parameter::id(&request.subnet_id, "subnetId")?)?;
    let flags = [
        (
            "assignIpv6AddressOnCreation",
            &request.assign_ipv6_address_on_creation,
        ),
        ("mapPublicIpOnLaunch", &request.map_public_ip_on_launch),
        ("enableDns64", &request.enable_dns64),
        (
            "enableResourceNameDnsARecordOnLaunch",
            &request.enable_resource_name_dns_a_record_on_launch,
        ),
        (
            "enableResourceNameDnsAAAARecordOnLaunch",
            &request.enable_resource_name_dns_aaaa_record_on_launch,
        ),
    ];
    parameter::refuse_unsupported(&[
        (
            request.map_customer_owned_ip_on_launch.is_some(),
            "mapCustomerOwnedIpOnLaunch",
        ),
        (
            request.customer_owned_ipv4_pool.is_some(),
            "customerOwnedIpv4Pool",
        ),
        (
            request.enable_lni_at_device_index.is_some(),
            "enableLniAtDeviceIndex",
        ),
        (
            request.disable_lni_at_device_index.is_some(),
            "disableLniAtDeviceIndex",
        ),
    ])?;
    let mut given: Vec<_> = flags
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| (name, Some(value))))
        .collect();
    if request.private_dns_hostname_type_on_launch.is_some() {
        given.push(("privateDnsHostnameTypeOnLaunch", None));
    }
    match given.as_slice() {
        [(name, Some(flag))] => {
            let value = *parameter::required(&flag.value, "Value")?;
            set_flag(&mut subnet, name, value)?;
        }
        [(_, None)] => {
            set_hostname_type(&mut subnet, &request.private_dns_hostname_type_on_launch)?;
        }
        several => return Err(not_one_attribute(several.iter().map(|(name, _)| *name))),
    }
    tx.put(subnet.id, subnet);
    Ok(ModifySubnetAttributeResponse {})
}

fn set_flag(subnet: &mut Subnet, name: &str, value: bool) -> Result<(), Error> {
    let lacks = |family: &str| {
        Err(Error::InvalidParameterValue(format!(
            "Invalid value '{value}' for {name}. To set this value to true, the subnet must have \
             an associated {family} CIDR block."
        )))
    };
    match name {
        "assignIpv6AddressOnCreation" if value && subnet.ipv6_cidr_blocks.is_empty() => {
            return lacks("IPv6");
        }
        "mapPublicIpOnLaunch" if value && subnet.cidr.is_none() => return lacks("IPv4"),
        "assignIpv6AddressOnCreation" => subnet.assign_ipv6_address_on_creation = value,
        "mapPublicIpOnLaunch" => subnet.map_public_ip_on_launch = value,
        "enableDns64" => subnet.enable_dns64 = value,
        "enableResourceNameDnsARecordOnLaunch" => subnet.enable_resource_name_dns_a_record = value,
        _ => subnet.enable_resource_name_dns_aaaa_record = value,
    }
    Ok(())
}

fn set_hostname_type(subnet: &mut Subnet, given: &Option<String>) -> Result<(), Error> {
    let name = "privateDnsHostnameTypeOnLaunch";
    let text = parameter::required(given, name)?;
    let allowed: &[&str] = if subnet.ipv6_native {
        &["resource-name"]
    } else {
        &["ip-name", "resource-name"]
    };
    subnet.hostname_type = parameter::one_of(text, name, allowed)?.to_owned();
    Ok(())
}
