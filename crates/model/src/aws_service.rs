//! Services of AWS that clients reach by public names (AWS General Reference, "Service endpoints and quotas").

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::{AwsPrefixList, GatewayService, Region};

/// A service with an endpoint in every Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AwsService {
    /// Amazon S3.
    S3,
    /// Amazon DynamoDB.
    DynamoDb,
    /// Amazon CloudWatch Logs.
    Logs,
    /// Amazon EC2.
    Ec2,
    /// AWS Security Token Service.
    Sts,
    /// Amazon Data Firehose.
    Firehose,
}

/// The public IPv4 addresses that instances and Elastic IP addresses get, first address and prefix length. The block lies
/// in Amazon's own space, so that they look as in AWS, and no host of the simulated internet that a lab is likely to add
/// is hit.
pub const PUBLIC_IPV4_POOL: (Ipv4Addr, u8) = (Ipv4Addr::new(52, 64, 0, 0), 12);

/// The domain of public names.
const DOMAIN: &str = "amazonaws.com";

impl AwsService {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::S3,
        Self::DynamoDb,
        Self::Logs,
        Self::Ec2,
        Self::Sts,
        Self::Firehose,
    ];

    /// As names of endpoints have it: `s3`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::DynamoDb => "dynamodb",
            Self::Logs => "logs",
            Self::Ec2 => "ec2",
            Self::Sts => "sts",
            Self::Firehose => "firehose",
        }
    }

    /// As names of endpoint services have it: `com.amazonaws.<region>.s3`.
    pub const fn endpoint_service(self) -> &'static str {
        match self {
            Self::Firehose => "kinesis-firehose",
            other => other.name(),
        }
    }

    /// The domain names of its endpoint in a Region, the usual one first. Buckets of S3 are names below each of them.
    pub fn endpoint_names(self, region: Region) -> Vec<String> {
        let name = self.name();
        let mut names = vec![format!("{name}.{region}.{DOMAIN}")];
        if self == Self::S3 {
            names.push(format!("{name}.dualstack.{region}.{DOMAIN}"));
        }
        // Older than Regions.
        if matches!(self, Self::S3 | Self::Sts | Self::Ec2) && region.name() == GLOBAL {
            names.push(format!("{name}.{DOMAIN}"));
        }
        names
    }

    /// The public addresses of its endpoint in a Region. No two services have one in common, and no two Regions.
    pub fn blocks(self, region: Region) -> Vec<IpNet> {
        let service = match self {
            Self::S3 => GatewayService::S3,
            Self::DynamoDb => GatewayService::DynamoDb,
            Self::Logs | Self::Ec2 | Self::Sts | Self::Firehose => return self.own_block(region),
        };
        AwsPrefixList { service, region }.nets().collect()
    }

    /// Of the range for benchmarks, which nobody on the internet has (RFC 2544), beyond the blocks of prefix lists.
    fn own_block(self, region: Region) -> Vec<IpNet> {
        let place = Region::all()
            .position(|own| own == region)
            .unwrap_or_default();
        let octets = [198, 18, 128 + place as u8, (self as u8) << 4];
        let net = Ipv4Net::new(octets.into(), 28);
        net.map(IpNet::V4).into_iter().collect()
    }

    /// The service and Region whose public address it is.
    pub fn of_address(address: IpAddr) -> Option<(Self, Region)> {
        type Owners = Vec<(IpNet, (AwsService, Region))>;
        static OWNERS: LazyLock<Owners> = LazyLock::new(|| {
            let all = Region::all().flat_map(|region| AwsService::ALL.map(|s| (s, region)));
            let blocks = |of: (AwsService, Region)| {
                let blocks = of.0.blocks(of.1).into_iter();
                blocks.map(move |block| (block, of))
            };
            all.flat_map(blocks).collect()
        });
        let found = OWNERS.iter().find(|(block, _)| block.contains(&address));
        found.map(|&(_, owner)| owner)
    }

    /// As AWS's published address ranges call it ("AWS IP address ranges"): what has no name of its own there is
    /// Amazon's.
    pub const fn range_name(self) -> &'static str {
        match self {
            Self::S3 => "S3",
            Self::DynamoDb => "DYNAMODB",
            Self::Logs | Self::Ec2 | Self::Sts | Self::Firehose => "AMAZON",
        }
    }

    /// The address that its names in a Region resolve to.
    pub fn address(self, region: Region) -> Option<IpAddr> {
        self.blocks(region).first()?.hosts().next()
    }

    /// The service and Region that a domain name, in lower case, is of.
    pub fn of_name(name: &str) -> Option<(Self, Region)> {
        let labels: Vec<&str> = name
            .strip_suffix(DOMAIN)?
            .strip_suffix('.')?
            .split('.')
            .collect();
        let service = |label: &str| Self::ALL.into_iter().find(|s| s.name() == label);
        let (service, region, below) = match labels[..] {
            [ref below @ .., s3, "dualstack", region] if s3 == Self::S3.name() => {
                (Self::S3, region.parse().ok()?, below)
            }
            [ref below @ .., name, region]
                if service(name).is_some() && region.parse::<Region>().is_ok() =>
            {
                (service(name)?, region.parse().ok()?, below)
            }
            [ref below @ .., name] => (service(name)?, GLOBAL.parse().ok()?, below),
            [] => return None,
        };
        let bucket = service == Self::S3 || below.is_empty();
        let exists = |own: &String| match below.is_empty() {
            true => own == name,
            false => name.ends_with(&format!(".{own}")),
        };
        let known = service.endpoint_names(region).iter().any(exists);
        (bucket && known).then_some((service, region))
    }
}

/// The Region behind names that say none.
const GLOBAL: &str = "us-east-1";

impl fmt::Display for AwsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_services() {
        for (name, expected) in [
            ("s3.us-east-1.amazonaws.com", Some("s3 us-east-1")),
            ("s3.eu-west-1.amazonaws.com", Some("s3 eu-west-1")),
            ("bucket.s3.eu-west-1.amazonaws.com", Some("s3 eu-west-1")),
            ("a.b.s3.eu-west-1.amazonaws.com", Some("s3 eu-west-1")),
            (
                "bucket.s3.dualstack.eu-west-1.amazonaws.com",
                Some("s3 eu-west-1"),
            ),
            ("s3.amazonaws.com", Some("s3 us-east-1")),
            ("bucket.s3.amazonaws.com", Some("s3 us-east-1")),
            ("s3.s3.amazonaws.com", Some("s3 us-east-1")),
            ("sts.amazonaws.com", Some("sts us-east-1")),
            (
                "dynamodb.us-west-2.amazonaws.com",
                Some("dynamodb us-west-2"),
            ),
            ("logs.us-west-2.amazonaws.com", Some("logs us-west-2")),
            ("ec2.us-west-2.amazonaws.com", Some("ec2 us-west-2")),
            (
                "firehose.us-west-2.amazonaws.com",
                Some("firehose us-west-2"),
            ),
            ("kinesis-firehose.us-west-2.amazonaws.com", None),
            ("logs.amazonaws.com", None),
            ("x.logs.us-west-2.amazonaws.com", None),
            ("dynamodb.dualstack.us-west-2.amazonaws.com", None),
            ("s3.mars-1.amazonaws.com", None),
            ("us-east-1.amazonaws.com", None),
            ("amazonaws.com", None),
            ("s3.us-east-1.amazonaws.com.example", None),
            ("s3.us-east-1.notamazonaws.com", None),
            ("ec2-203-0-113-10.compute-1.amazonaws.com", None),
        ] {
            let found = AwsService::of_name(name).map(|(s, r)| format!("{s} {r}"));
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn addresses_are_of_one_endpoint_each() {
        let all: Vec<(AwsService, Region, Vec<IpNet>)> = Region::all()
            .flat_map(|region| AwsService::ALL.map(|s| (s, region, s.blocks(region))))
            .collect();
        for (i, (service, region, blocks)) in all.iter().enumerate() {
            let address = service.address(*region).unwrap();
            assert!(blocks.iter().any(|block| block.contains(&address)));
            assert_eq!(AwsService::of_address(address), Some((*service, *region)));
            for (other, elsewhere, theirs) in &all[i + 1..] {
                let disjoint = |a: &IpNet| theirs.iter().all(|b| !a.contains(b) && !b.contains(a));
                assert!(
                    blocks.iter().all(disjoint),
                    "{service} {region} {other} {elsewhere}"
                );
            }
        }
    }

    #[test]
    fn every_name_is_found_again() {
        for region in Region::all() {
            for service in AwsService::ALL {
                for name in service.endpoint_names(region) {
                    assert_eq!(
                        AwsService::of_name(&name),
                        Some((service, region)),
                        "{name}"
                    );
                }
            }
        }
    }
}
