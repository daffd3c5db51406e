//! Regions and Availability Zones (AWS Regions and Availability Zones).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Region that Weir knows, by its place in the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(u8);

/// No Region has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid region: \"{0}\"")]
pub struct UnknownRegion(pub String);

/// A zone of a Region.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AvailabilityZone {
    /// The Region that the zone belongs to.
    pub region: Region,
    /// `a` for `us-east-1a`.
    letter: u8,
}

struct Entry {
    name: &'static str,
    /// Prefix of zone ids: `use1` in `use1-az1`.
    code: &'static str,
    zones: u8,
}

/// Name, zone id code and number of zones; opt-in Regions are left out.
const CATALOGUE: &[Entry] = &[
    entry("ap-northeast-1", "apne1", 3),
    entry("ap-northeast-2", "apne2", 4),
    entry("ap-northeast-3", "apne3", 3),
    entry("ap-south-1", "aps1", 3),
    entry("ap-southeast-1", "apse1", 3),
    entry("ap-southeast-2", "apse2", 3),
    entry("ca-central-1", "cac1", 3),
    entry("eu-central-1", "euc1", 3),
    entry("eu-north-1", "eun1", 3),
    entry("eu-west-1", "euw1", 3),
    entry("eu-west-2", "euw2", 3),
    entry("eu-west-3", "euw3", 3),
    entry("sa-east-1", "sae1", 3),
    entry("us-east-1", "use1", 6),
    entry("us-east-2", "use2", 3),
    entry("us-west-1", "usw1", 2),
    entry("us-west-2", "usw2", 4),
];

const fn entry(name: &'static str, code: &'static str, zones: u8) -> Entry {
    Entry { name, code, zones }
}

impl Region {
    /// Where what is global to an account stands, IAM for example: us-east-1.
    pub const GLOBAL: Self = Self(13);

    /// Every Region, in the order of their names.
    pub fn all() -> impl Iterator<Item = Region> {
        (0..CATALOGUE.len()).map(|i| Region(i as u8))
    }

    /// `us-east-1`.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// `ec2.us-east-1.amazonaws.com`.
    pub fn endpoint(self) -> String {
        format!("ec2.{}.amazonaws.com", self.name())
    }

    /// The Region's zones, in the order of their letters.
    pub fn zones(self) -> impl Iterator<Item = AvailabilityZone> {
        (0..self.entry().zones).map(move |i| AvailabilityZone {
            region: self,
            letter: b'a' + i,
        })
    }

    /// The domain of private DNS names (Amazon VPC User Guide, "DNS attributes for your VPC").
    pub fn private_domain(self) -> String {
        match self.name() {
            "us-east-1" => "ec2.internal".to_owned(),
            name => format!("{name}.compute.internal"),
        }
    }

    /// The domain of public DNS names.
    pub fn public_domain(self) -> String {
        match self.name() {
            "us-east-1" => "compute-1.amazonaws.com".to_owned(),
            name => format!("{name}.compute.amazonaws.com"),
        }
    }

    fn entry(self) -> &'static Entry {
        &CATALOGUE[self.0 as usize]
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;
    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        Region::all()
            .find(|r| r.name() == text)
            .ok_or_else(|| UnknownRegion(text.to_owned()))
    }
}

impl TryFrom<String> for Region {
    type Error = UnknownRegion;
    fn try_from(text: String) -> Result<Self, UnknownRegion> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.name().to_owned()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl AvailabilityZone {
    /// `use1-az1`. The mapping of names to ids is the identity in every account.
    pub fn zone_id(self) -> String {
        format!("{}-az{}", self.region.entry().code, self.letter - b'a' + 1)
    }

    /// `us-east-1-zg-1`.
    pub fn group_name(self) -> String {
        format!("{}-zg-1", self.region)
    }
}

impl FromStr for AvailabilityZone {
    type Err = UnknownRegion;
    /// Reads a zone name or a zone id.
    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        Region::all()
            .flat_map(Region::zones)
            .find(|z| z.to_string() == text || z.zone_id() == text)
            .ok_or_else(|| UnknownRegion(text.to_owned()))
    }
}

impl TryFrom<String> for AvailabilityZone {
    type Error = UnknownRegion;
    fn try_from(text: String) -> Result<Self, UnknownRegion> {
        text.parse()
    }
}

impl From<AvailabilityZone> for String {
    fn from(zone: AvailabilityZone) -> Self {
        zone.to_string()
    }
}

impl fmt::Display for AvailabilityZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.region, char::from(self.letter))
    }
}

impl fmt::Debug for AvailabilityZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_and_ids() {
        let region: Region = "us-east-1".parse().unwrap();
        let zones: Vec<_> = region
            .zones()
            .map(|z| (z.to_string(), z.zone_id()))
            .collect();
        assert_eq!(zones[0], ("us-east-1a".into(), "use1-az1".into()));
        assert_eq!(zones.len(), 6);
        assert!("us-east-1z".parse::<AvailabilityZone>().is_err());
        assert!("mars-1".parse::<Region>().is_err());
    }
}
