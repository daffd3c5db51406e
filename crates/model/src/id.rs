//! Typed resource ids: one type per noun, so that a subnet is never taken for a VPC.
//!
//! An id is a prefix and 17 lower-case hexadecimal digits; ids of old resources have 8
//! (Amazon EC2 User Guide, "Resource IDs").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The digits of an id, without its prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdBody(u128);

const SHORT: u128 = 1 << 127;
const LONG_DIGITS: usize = 17;
const SHORT_DIGITS: usize = 8;

impl IdBody {
    /// The 17-digit body made of the low 68 bits of `bits`.
    pub const fn new(bits: u128) -> Self {
        Self(bits & ((1 << 68) - 1))
    }

    /// The 8-digit body of an old resource, or of one of AWS's own.
    pub const fn short(digits: u32) -> Self {
        Self(digits as u128 | SHORT)
    }

    fn parse(digits: &str) -> Option<Self> {
        let hex = digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let value = u128::from_str_radix(digits, 16).ok().filter(|_| hex)?;
        match digits.len() {
            LONG_DIGITS => Some(Self(value)),
            SHORT_DIGITS => Some(Self(value | SHORT)),
            _ => None,
        }
    }
}

impl fmt::Display for IdBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand: every flow log record has an id, and `{:017x}` takes as long as the rest of it.
        let length = if self.0 & SHORT == 0 {
            LONG_DIGITS
        } else {
            SHORT_DIGITS
        };
        let mut text = [0; LONG_DIGITS];
        let mut rest = self.0;
        for digit in text[..length].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 15) as usize];
            rest >>= 4;
        }
        f.write_str(str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for IdBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an id of the expected noun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid id: \"{text}\" (expecting \"{prefix}...\")")]
pub struct MalformedId {
    /// What was given.
    pub text: String,
    /// The prefix that the noun's ids have, hyphen included.
    pub prefix: &'static str,
}

/// What all typed ids have in common.
pub trait Id: Copy + Ord + fmt::Display + FromStr<Err = MalformedId> + Into<ResourceId> {
    /// The prefix, hyphen included: `vpc-`.
    const PREFIX: &'static str;
    /// The noun as AWS spells it in messages: `vpc`, `routeTable`.
    const NOUN: &'static str;
    /// The id with these digits.
    fn from_body(body: IdBody) -> Self;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $variant:ident $prefix:literal $noun:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(IdBody);

            impl Id for $name {
                const PREFIX: &'static str = $prefix;
                const NOUN: &'static str = $noun;
                fn from_body(body: IdBody) -> Self {
                    Self(body)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str($prefix)?;
                    fmt::Display::fmt(&self.0, f)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = MalformedId;
                fn from_str(text: &str) -> Result<Self, MalformedId> {
                    text.strip_prefix($prefix)
                        .and_then(IdBody::parse)
                        .map(Self)
                        .ok_or_else(|| MalformedId { text: text.to_owned(), prefix: $prefix })
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                    s.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }

            impl From<$name> for ResourceId {
                fn from(id: $name) -> Self {
                    ResourceId::$variant(id)
                }
            }
        )*

        /// An id of any noun, for tags, errors and traces.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceId {
            $(
                #[doc = concat!("`", $prefix, "…`")]
                $variant($name),
            )*
        }

        impl ResourceId {
            /// The noun as AWS spells it in messages: `vpc`, `routeTable`.
            pub const fn noun(&self) -> &'static str {
                match self { $(ResourceId::$variant(_) => $noun,)* }
            }
        }

        impl fmt::Display for ResourceId {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(ResourceId::$variant(id) => id.fmt(f),)* }
            }
        }

        impl fmt::Debug for ResourceId {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for ResourceId {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for ResourceId {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl FromStr for ResourceId {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                $(
                    if let Ok(id) = text.parse::<$name>() {
                        return Ok(ResourceId::$variant(id));
                    }
                )*
                Err(MalformedId { text: text.to_owned(), prefix: "" })
            }
        }
    };
}

ids! {
    /// A VPC.
    VpcId Vpc "vpc-" "vpc";
    /// The association of an IPv4 or IPv6 block with a VPC.
    VpcCidrAssociationId VpcCidrAssociation "vpc-cidr-assoc-" "vpc CIDR block association";
    /// A subnet.
    SubnetId Subnet "subnet-" "subnet";
    /// The association of an IPv6 block with a subnet.
    SubnetCidrAssociationId SubnetCidrAssociation "subnet-cidr-assoc-" "subnet CIDR block association";
    /// A block of a subnet that is not given out.
    SubnetCidrReservationId SubnetCidrReservation "scr-" "subnet CIDR reservation";
    /// A route table.
    RouteTableId RouteTable "rtb-" "routeTable";
    /// The association of a route table with a subnet or gateway, or as main table.
    RouteTableAssociationId RouteTableAssociation "rtbassoc-" "association";
    /// An internet gateway.
    InternetGatewayId InternetGateway "igw-" "internetGateway";
    /// A security group.
    SecurityGroupId SecurityGroup "sg-" "security group";
    /// A rule of a security group.
    SecurityGroupRuleId SecurityGroupRule "sgr-" "security group rule";
    /// A network ACL.
    NetworkAclId NetworkAcl "acl-" "networkAcl";
    /// The association of a network ACL with a subnet.
    NetworkAclAssociationId NetworkAclAssociation "aclassoc-" "association";
    /// The attachment of a network interface to an instance.
    AttachmentId Attachment "eni-attach-" "network interface attachment";
    /// A network interface.
    NetworkInterfaceId NetworkInterface "eni-" "networkInterface";
    /// The allocation of an Elastic IP address.
    AllocationId Allocation "eipalloc-" "allocation";
    /// The association of an Elastic IP address.
    AddressAssociationId AddressAssociation "eipassoc-" "association";
    /// A set of DHCP options.
    DhcpOptionsId DhcpOptions "dopt-" "dhcpOption";
    /// An instance.
    InstanceId Instance "i-" "instance";
    /// The reservation of a RunInstances call.
    ReservationId Reservation "r-" "reservation";
    /// A machine image.
    ImageId Image "ami-" "image";
    /// A flow log.
    FlowLogId FlowLog "fl-" "vpc-flow-log";
    /// A NAT gateway.
    NatGatewayId NatGateway "nat-" "natGateway";
    /// An egress-only internet gateway.
    EgressOnlyInternetGatewayId EgressOnlyInternetGateway "eigw-" "eigw";
    /// A VPC peering connection.
    VpcPeeringConnectionId VpcPeeringConnection "pcx-" "vpcPeeringConnection";
    /// A prefix list.
    PrefixListId PrefixList "pl-" "prefix list";
    /// A VPC endpoint.
    VpcEndpointId VpcEndpoint "vpce-" "Vpc Endpoint";
    /// An endpoint service.
    VpcEndpointServiceId VpcEndpointService "vpce-svc-" "VpcEndpointService";
    /// The permission of a principal to use an endpoint service.
    VpcEndpointServicePermissionId VpcEndpointServicePermission "vpce-svc-perm-" "VpcEndpointServicePermission";
}

/// Where new ids, addresses and other unpredictable values come from; an argument of pure code.
pub trait Entropy {
    /// The next unpredictable number.
    fn next_u128(&mut self) -> u128;

    /// A fresh id of a noun.
    fn id<T: Id>(&mut self) -> T
    where
        Self: Sized,
    {
        T::from_body(IdBody::new(self.next_u128()))
    }
}

impl Entropy for &mut dyn Entropy {
    fn next_u128(&mut self) -> u128 {
        (**self).next_u128()
    }
}

/// Reproducible entropy for tests and simulation: ids count up from the seed.
#[derive(Clone, Debug, Default)]
pub struct Sequence(pub u128);

impl Entropy for Sequence {
    fn next_u128(&mut self) -> u128 {
        self.0 += 1;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_they_parse() {
        for text in ["vpc-0123456789abcdef0", "vpc-1a2b3c4d"] {
            assert_eq!(text.parse::<VpcId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn attachments_and_interfaces_do_not_mix() {
        let attachment = "eni-attach-0123456789abcdef0";
        assert!(attachment.parse::<NetworkInterfaceId>().is_err());
        assert!(matches!(
            attachment.parse::<ResourceId>(),
            Ok(ResourceId::Attachment(_))
        ));
    }

    #[test]
    fn malformed_ids_say_what_was_expected() {
        for text in [
            "",
            "vpc-",
            "subnet-0123456789abcdef0",
            "vpc-0123456789ABCDEF0",
            "vpc-+123456",
            "vpc-é",
        ] {
            let error = text.parse::<VpcId>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("Invalid id: \"{text}\" (expecting \"vpc-...\")")
            );
        }
    }
}
