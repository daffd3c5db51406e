//! Names that the Amazon DNS server gives to addresses (Amazon VPC User Guide, "DNS attributes for
//! your VPC"; Amazon EC2 User Guide, "EC2 instance hostnames and domains").

use std::net::Ipv4Addr;

use model::{InstanceId, VpcId};

use crate::Transaction;

/// `ip-10-0-0-5.ec2.internal`.
pub(crate) fn ip_name(tx: &Transaction<'_>, address: Ipv4Addr) -> String {
    let domain = tx.scope().region.private_domain();
    format!("ip-{}.{domain}", hyphens(address))
}

/// `i-0123456789abcdef0.ec2.internal`.
pub(crate) fn resource_name(tx: &Transaction<'_>, id: InstanceId) -> String {
    format!("{id}.{}", tx.scope().region.private_domain())
}

/// `ec2-203-0-113-25.compute-1.amazonaws.com`, if the VPC's DNS attributes are both on.
pub(crate) fn public_name(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    address: Ipv4Addr,
) -> Option<String> {
    let vpc = tx.state().vpcs.get(&vpc_id)?;
    let domain = tx.scope().region.public_domain();
    (vpc.enable_dns_support && vpc.enable_dns_hostnames)
        .then(|| format!("ec2-{}.{domain}", hyphens(address)))
}

fn hyphens(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}
