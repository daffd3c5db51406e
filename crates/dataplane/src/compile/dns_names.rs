//! Names that the Amazon DNS server knows beside those of instances: public names of services, and the private names
//! that an interface endpoint brings into its VPC (AWS PrivateLink Guide, "Private DNS").

use std::net::IpAddr;

use super::vpc::Map;

/// Zones of one name each, or of one name and everything right below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DnsNames {
    zones: Map<String, Zone>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Zone {
    own: Vec<IpAddr>,
    wildcard: Vec<IpAddr>,
}

/// What a table has to say about a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Listed<'a> {
    /// Its addresses.
    Name {
        zone: &'a str,
        addresses: &'a [IpAddr],
    },
    /// The zone that it lies in, which does not have it.
    Missing { zone: &'a str },
}

impl DnsNames {
    /// Adds addresses of a name; `*.` in front of it stands for every name below it. A name takes everything below it
    /// out of the zones above.
    pub(crate) fn insert(&mut self, name: &str, addresses: &[IpAddr]) {
        let name = name.to_ascii_lowercase();
        let (apex, wildcard) = match name.strip_prefix("*.") {
            Some(apex) => (apex, true),
            None => (name.as_str(), false),
        };
        let zone = self.zones.entry(apex.to_owned()).or_default();
        let list = if wildcard {
            &mut zone.wildcard
        } else {
            &mut zone.own
        };
        list.extend(
            addresses
                .iter()
                .filter(|a| !list.contains(a))
                .copied()
                .collect::<Vec<_>>(),
        );
    }

    /// What there is to say about a name in lower case; `None` if it lies in no zone of the table.
    pub(crate) fn look_up<'a>(&'a self, name: &'a str) -> Option<Listed<'a>> {
        if self.zones.is_empty() {
            return None;
        }
        if let Some(zone) = self.zones.get(name) {
            let addresses = zone.own.as_slice();
            return Some(Listed::Name {
                zone: name,
                addresses,
            });
        }
        let mut above = name;
        while let Some((_, parent)) = above.split_once('.') {
            above = parent;
            if let Some(zone) = self.zones.get(parent) {
                let addresses = zone.wildcard.as_slice();
                return Some(if addresses.is_empty() {
                    Listed::Missing { zone: parent }
                } else {
                    Listed::Name {
                        zone: parent,
                        addresses,
                    }
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_zone_decides() {
        let a: IpAddr = "10.0.0.1".parse().unwrap();
        let b: IpAddr = "10.0.0.2".parse().unwrap();
        let mut names = DnsNames::default();
        assert_eq!(names.look_up("s3.us-east-1.amazonaws.com"), None);
        names.insert("s3.us-east-1.amazonaws.com", &[a]);
        names.insert("*.s3.us-east-1.amazonaws.com", &[b]);
        names.insert("STS.us-east-1.amazonaws.com", &[a, b]);
        names.insert("sts.us-east-1.amazonaws.com", &[b]);
        let zone = "s3.us-east-1.amazonaws.com";
        let own = Listed::Name {
            zone,
            addresses: &[a],
        };
        assert_eq!(names.look_up(zone), Some(own));
        let below = Listed::Name {
            zone,
            addresses: &[b],
        };
        let name = "b.c.s3.us-east-1.amazonaws.com";
        assert_eq!(names.look_up(name), Some(below));
        let zone = "sts.us-east-1.amazonaws.com";
        let both = Listed::Name {
            zone,
            addresses: &[a, b],
        };
        assert_eq!(names.look_up(zone), Some(both));
        let missing = Listed::Missing { zone };
        assert_eq!(
            names.look_up("x.sts.us-east-1.amazonaws.com"),
            Some(missing)
        );
        assert_eq!(names.look_up("us-east-1.amazonaws.com"), None);
    }
}
