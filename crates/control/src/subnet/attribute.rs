//! Attributes of subnets (Amazon EC2 API Reference, "ModifySubnetAttribute").

use ec2_api::{AttributeBooleanValue, ModifySubnetAttributeRequest, ModifySubnetAttributeResponse};
use model::Subnet;

use crate::vpc::not_one_attribute;
use crate::{Error, Transaction, parameter};

/// Changes exactly one attribute.
pub(crate) fn modify_subnet_attribute(
    tx: &mut Transaction<'_>,
    request: &ModifySubnetAttributeRequest,
) -> Result<ModifySubnetAttributeResponse, Error> {
    let mut subnet = tx.take::<Subnet>(parameter::id(&request.subnet_id, "subnetId")?)?;
    let flags: [(&'static str, &Option<AttributeBooleanValue>, Flag); 5] = [
        (
            ASSIGN_IPV6,
            &request.assign_ipv6_address_on_creation,
            |subnet| &mut subnet.assign_ipv6_address_on_creation,
        ),
        (MAP_PUBLIC_IP, &request.map_public_ip_on_launch, |subnet| {
            &mut subnet.map_public_ip_on_launch
        }),
        ("enableDns64", &request.enable_dns64, |subnet| {
            &mut subnet.enable_dns64
        }),
        (
            "enableResourceNameDnsARecordOnLaunch",
            &request.enable_resource_name_dns_a_record_on_launch,
            |subnet| &mut subnet.enable_resource_name_dns_a_record,
        ),
        (
            "enableResourceNameDnsAAAARecordOnLaunch",
            &request.enable_resource_name_dns_aaaa_record_on_launch,
            |subnet| &mut subnet.enable_resource_name_dns_aaaa_record,
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
        .filter_map(|(name, value, flag)| Some((name, Some((value.as_ref()?, flag)))))
        .collect();
    if request.private_dns_hostname_type_on_launch.is_some() {
        given.push(("privateDnsHostnameTypeOnLaunch", None));
    }
    match given.as_slice() {
        [(name, Some((given, flag)))] => {
            let value = *parameter::required(&given.value, "Value")?;
            check_family(&subnet, name, value)?;
            *flag(&mut subnet) = value;
        }
        [(_, None)] => {
            set_hostname_type(&mut subnet, &request.private_dns_hostname_type_on_launch)?;
        }
        several => return Err(not_one_attribute(several.iter().map(|(name, _)| *name))),
    }
    tx.put(subnet.id, subnet);
    Ok(ModifySubnetAttributeResponse {})
}

/// Where a subnet keeps a flag.
type Flag = fn(&mut Subnet) -> &mut bool;

const ASSIGN_IPV6: &str = "assignIpv6AddressOnCreation";
const MAP_PUBLIC_IP: &str = "mapPublicIpOnLaunch";

/// Addresses can be given only where the subnet has a block of their family.
fn check_family(subnet: &Subnet, name: &str, value: bool) -> Result<(), Error> {
    let family = match name {
        ASSIGN_IPV6 if subnet.ipv6_cidr_blocks.is_empty() => "IPv6",
        MAP_PUBLIC_IP if subnet.cidr.is_none() => "IPv4",
        _ => return Ok(()),
    };
    if !value {
        return Ok(());
    }
    Err(Error::InvalidParameterValue(format!(
        "Invalid value '{value}' for {name}. To set this value to true, the subnet must have \
         an associated {family} CIDR block."
    )))
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
