//! Prefix lists that AWS itself keeps for services with gateway endpoints (Amazon VPC User Guide,
//! "Use AWS-managed prefix lists"). They are the same for every account of a Region.

use std::fmt;

use ipnet::{IpNet, Ipv4Net};

use crate::{IdBody, PrefixListId, Region, id::Id};

/// A service that is reached through gateway endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatewayService {
    /// Amazon S3.
    S3,
    /// Amazon DynamoDB.
    DynamoDb,
}

impl GatewayService {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::S3, Self::DynamoDb];
}

/// As service names end: `s3`.
impl fmt::Display for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 => "s3",
            Self::DynamoDb => "dynamodb",
        })
    }
}

/// The addresses of a service in a Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsPrefixList {
    /// Whose addresses.
    pub service: GatewayService,
    /// Where.
    pub region: Region,
}

impl AwsPrefixList {
    /// How much a reference counts against quotas of routes and rules.
    pub const WEIGHT: usize = 1;

    /// The lists of a Region.
    pub fn all(region: Region) -> impl Iterator<Item = Self> {
        GatewayService::ALL
            .into_iter()
            .map(move |service| Self { service, region })
    }

    /// The list of any Region with this id.
    pub fn with_id(id: PrefixListId) -> Option<Self> {
        Region::all()
            .flat_map(Self::all)
            .find(|list| list.id() == id)
    }

    /// The list of a Region with this name.
    pub fn with_name(region: Region, name: &str) -> Option<Self> {
        Self::all(region).find(|list| list.name() == name)
    }

    /// `com.amazonaws.us-east-1.s3`, which is the name of the service as well.
    pub fn name(&self) -> String {
        format!("com.amazonaws.{}.{}", self.region, self.service)
    }

    /// AWS's own id where that is known, else one that follows from the name.
    pub fn id(&self) -> PrefixListId {
        let digits = match (self.region.name(), self.service) {
            ("us-east-1", GatewayService::S3) => 0x63a5_400a,
            ("us-east-1", GatewayService::DynamoDb) => 0x02cd_2c6b,
            ("us-west-2", GatewayService::S3) => 0x68a5_4001,
            ("us-west-2", GatewayService::DynamoDb) => 0x00a5_4069,
            _ => hash(&self.name()),
        };
        PrefixListId::from_body(IdBody::short(digits))
    }

    /// Its blocks, in order.
    ///
    /// Those of us-east-1 are some of AWS's. Other Regions have blocks of the range for benchmarks,
    /// which nobody on the internet has (RFC 2544): no two lists have an address in common.
    pub fn blocks(&self) -> Vec<Ipv4Net> {
        let real = match (self.region.name(), self.service) {
            ("us-east-1", GatewayService::S3) => US_EAST_1_S3,
            ("us-east-1", GatewayService::DynamoDb) => US_EAST_1_DYNAMODB,
            (name, service) => {
                let place = PLACES.iter().find(|(own, _)| *own == name);
                let second = match service {
                    GatewayService::S3 => 18,
                    GatewayService::DynamoDb => 19,
                };
                let net = |(_, third): &(_, u8)| Ipv4Net::new([198, second, *third, 0].into(), 24);
                return place.and_then(|p| net(p).ok()).into_iter().collect();
            }
        };
        real.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// The same blocks, of either family.
    pub fn nets(&self) -> impl Iterator<Item = IpNet> {
        self.blocks().into_iter().map(IpNet::V4)
    }
}

const US_EAST_1_S3: &[&str] = &["3.5.0.0/19", "52.216.0.0/15", "54.231.0.0/16"];
const US_EAST_1_DYNAMODB: &[&str] = &[
    "3.218.180.0/23",
    "3.218.182.0/24",
    "52.94.0.0/22",
    "52.119.224.0/20",
];

/// The third octet of a Region's made-up blocks; what is given out once is never given to another.
const PLACES: &[(&str, u8)] = &[
    ("us-east-2", 1),
    ("us-west-1", 2),
    ("us-west-2", 3),
    ("ca-central-1", 4),
    ("sa-east-1", 5),
    ("eu-west-1", 16),
    ("eu-west-2", 17),
    ("eu-west-3", 18),
    ("eu-central-1", 19),
    ("eu-north-1", 20),
    ("ap-northeast-1", 32),
    ("ap-northeast-2", 33),
    ("ap-northeast-3", 34),
    ("ap-south-1", 35),
    ("ap-southeast-1", 36),
    ("ap-southeast-2", 37),
];

fn hash(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<AwsPrefixList> {
        Region::all().flat_map(AwsPrefixList::all).collect()
    }

    #[test]
    fn known_lists_have_the_ids_of_aws() {
        let ids = |region: &str| -> Vec<String> {
            let region = region.parse().unwrap();
            AwsPrefixList::all(region)
                .map(|l| format!("{} {}", l.id(), l.name()))
                .collect()
        };
        assert_eq!(
            ids("us-east-1"),
            [
                "pl-63a5400a com.amazonaws.us-east-1.s3",
                "pl-02cd2c6b com.amazonaws.us-east-1.dynamodb"
            ]
        );
        assert_eq!(
            ids("us-west-2"),
            [
                "pl-68a54001 com.amazonaws.us-west-2.s3",
                "pl-00a54069 com.amazonaws.us-west-2.dynamodb"
            ]
        );
    }

    #[test]
    fn every_list_has_an_id_and_addresses_of_its_own() {
        for (i, a) in all().iter().enumerate() {
            assert_eq!(AwsPrefixList::with_id(a.id()), Some(*a));
            assert!(!a.blocks().is_empty(), "{}", a.name());
            for b in &all()[i + 1..] {
                let disjoint =
                    |x: &Ipv4Net| b.blocks().iter().all(|y| !x.contains(y) && !y.contains(x));
                assert!(a.blocks().iter().all(disjoint), "{} {}", a.name(), b.name());
            }
        }
    }
}
