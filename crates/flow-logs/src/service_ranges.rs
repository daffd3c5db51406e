//! Which service of AWS a public address belongs to (Amazon VPC User Guide, "AWS IP address
//! ranges"): what the fields `pkt-src-aws-service` and `pkt-dst-aws-service` print.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use ipnet::{IpNet, Ipv4Net};
use model::{AwsService, PUBLIC_IPV4_POOL, Region};
use serde::{Deserialize, Deserializer, de};

/// Address ranges of AWS and the codes of the services that have them.
///
/// Of the ranges that an address is in, the longest prefix counts; of the codes that one prefix is
/// listed with, any specific one, then `EC2`, then `AMAZON`. Private addresses have no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRanges {
    codes: Vec<Box<str>>,
    /// First addresses of disjoint pieces, in order, each with its code.
    v4: Pieces,
    v6: Pieces,
}

type Pieces = Vec<(u128, Option<u16>)>;

/// The text is not one of AWS's lists of address ranges.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct MalformedRanges(#[from] serde_json::Error);

/// `ip-ranges.json`; what it has beside the ranges does not matter here.
#[derive(Deserialize)]
struct Published {
    prefixes: Vec<Ipv4Range>,
    #[serde(default)]
    ipv6_prefixes: Vec<Ipv6Range>,
}

#[derive(Deserialize)]
struct Ipv4Range {
    #[serde(deserialize_with = "ipv4_block")]
    ip_prefix: IpNet,
    #[serde(deserialize_with = "code")]
    service: String,
}

#[derive(Deserialize)]
struct Ipv6Range {
    #[serde(deserialize_with = "ipv6_block")]
    ipv6_prefix: IpNet,
    #[serde(deserialize_with = "code")]
    service: String,
}

impl ServiceRanges {
    /// Reads a list in AWS's published form, `ip-ranges.json` ("AWS IP address ranges JSON syntax").
    /// Weir's own public addresses stay `EC2` unless the list knows better.
    ///
    /// # Errors
    ///
    /// If it has not that form; the error names line and column.
    pub fn parse(json: &str) -> Result<Self, MalformedRanges> {
        let published: Published = serde_json::from_str(json)?;
        let v4 = published.prefixes.into_iter();
        let v6 = published.ipv6_prefixes.into_iter();
        let listed = v4
            .map(|range| (range.ip_prefix, range.service))
            .chain(v6.map(|range| (range.ipv6_prefix, range.service)));
        Ok(Self::new(own_pool().into_iter().chain(listed)))
    }

    /// The ranges that Weir's own services and public addresses are from.
    pub fn built_in() -> Arc<Self> {
        static BUILT_IN: LazyLock<Arc<ServiceRanges>> = LazyLock::new(|| {
            let services =
                Region::all().flat_map(|region| AwsService::ALL.map(|service| (service, region)));
            let ranges = services.flat_map(|(service, region)| {
                let blocks = service.blocks(region).into_iter();
                blocks.map(move |block| (block, service.range_name().to_owned()))
            });
            Arc::new(ServiceRanges::new(own_pool().into_iter().chain(ranges)))
        });
        BUILT_IN.clone()
    }

    fn new(ranges: impl Iterator<Item = (IpNet, String)>) -> Self {
        let mut best: BTreeMap<(bool, u128, u8), String> = BTreeMap::new();
        for (block, code) in ranges {
            let known = best.entry(place(block)).or_insert_with(|| code.clone());
            if (rank(&code), &code) < (rank(known), known) {
                *known = code;
            }
        }
        let mut codes: Vec<Box<str>> = best.values().map(|code| code.as_str().into()).collect();
        codes.sort_unstable();
        codes.dedup();
        let pieces = |is_v6: bool| {
            let own = best.iter().filter(|((v6, ..), _)| *v6 == is_v6);
            flatten(own.map(|(&(_, first, length), code)| {
                let index = codes.binary_search_by(|c| (**c).cmp(code.as_str()));
                let bits = if is_v6 { 128 } else { 32 };
                let hosts = u128::MAX.checked_shr(128 - bits + u32::from(length));
                let last = first | hosts.unwrap_or(0);
                (first, last, index.unwrap_or(0) as u16)
            }))
        };
        Self {
            v4: pieces(false),
            v6: pieces(true),
            codes,
        }
    }

    /// The code of the service that a public address belongs to.
    pub fn code_of(&self, address: IpAddr) -> Option<&str> {
        if !is_public(address) {
            return None;
        }
        let (pieces, address) = match address {
            IpAddr::V4(v4) => (&self.v4, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => (&self.v6, v6.to_bits()),
        };
        let after = pieces.partition_point(|(first, _)| *first <= address);
        let (_, code) = pieces.get(after.checked_sub(1)?)?;
        self.codes.get(usize::from((*code)?)).map(AsRef::as_ref)
    }
}

/// Nested ranges in the order of their first addresses, outer ones first, cut to disjoint pieces.
fn flatten(ranges: impl Iterator<Item = (u128, u128, u16)>) -> Pieces {
    let mut pieces: Pieces = Vec::new();
    let mut open: Vec<(u128, u16)> = Vec::new();
    let mut put = |first: u128, code: Option<u16>| match pieces.last_mut() {
        Some(last) if last.0 == first => last.1 = code,
        Some(last) if last.1 == code => {}
        _ => pieces.push((first, code)),
    };
    for (first, last, code) in ranges {
        close_before(&mut open, first, &mut put);
        put(first, Some(code));
        open.push((last, code));
    }
    close_before(&mut open, u128::MAX, &mut put);
    pieces
}

/// Ends the open ranges that lie before an address; behind each goes on what is around it.
fn close_before(
    open: &mut Vec<(u128, u16)>,
    address: u128,
    put: &mut impl FnMut(u128, Option<u16>),
) {
    while let Some(&(last, _)) = open.last().filter(|(last, _)| *last < address) {
        open.pop();
        put(last + 1, open.last().map(|&(_, code)| code));
    }
}

fn place(block: IpNet) -> (bool, u128, u8) {
    match block {
        IpNet::V4(v4) => (false, v4.network().to_bits().into(), v4.prefix_len()),
        IpNet::V6(v6) => (true, v6.network().to_bits(), v6.prefix_len()),
    }
}

/// The one that uses a range goes before the one whose range it is ("AWS IP address ranges").
fn rank(code: &str) -> u8 {
    match code {
        "AMAZON" => 2,
        "EC2" => 1,
        _ => 0,
    }
}

fn own_pool() -> Option<(IpNet, String)> {
    let (first, length) = PUBLIC_IPV4_POOL;
    let block = Ipv4Net::new(first, length).ok()?;
    Some((block.into(), "EC2".to_owned()))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            !(v4.is_private() || v4.is_link_local() || v4.is_loopback() || shared)
        }
        IpAddr::V6(v6) => !(v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

fn ipv4_block<'de, D: Deserializer<'de>>(from: D) -> Result<IpNet, D::Error> {
    let block = block(from)?;
    match block {
        IpNet::V4(_) => Ok(block),
        IpNet::V6(_) => Err(de::Error::custom(format!("{block} is no block of IPv4"))),
    }
}

fn ipv6_block<'de, D: Deserializer<'de>>(from: D) -> Result<IpNet, D::Error> {
    let block = block(from)?;
    match block {
        IpNet::V6(_) => Ok(block),
        IpNet::V4(_) => Err(de::Error::custom(format!("{block} is no block of IPv6"))),
    }
}

fn block<'de, D: Deserializer<'de>>(from: D) -> Result<IpNet, D::Error> {
    let text = String::deserialize(from)?;
    let malformed = || de::Error::custom(format!("{text:?} is no CIDR block"));
    let block: IpNet = text.parse().map_err(|_| malformed())?;
    match block == block.trunc() {
        true => Ok(block),
        false => Err(malformed()),
    }
}

/// A code is one word of a record.
fn code<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let is_code = |b: u8| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    match !text.is_empty() && text.bytes().all(is_code) {
        true => Ok(text),
        false => Err(de::Error::custom(format!(
            "{text:?} is no code of a service"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    const PUBLISHED: &str = r#"{
      "syncToken": "1761955200", "createDate": "2025-11-01-00-00-00",
      "prefixes": [
        {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "AMAZON", "network_border_group": "ap-southeast-2"},
        {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "S3", "network_border_group": "ap-southeast-2"},
        {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "EC2", "network_border_group": "ap-southeast-2"},
        {"ip_prefix": "52.95.132.0/24", "region": "ap-southeast-2", "service": "AMAZON", "network_border_group": "ap-southeast-2"},
        {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "EC2", "network_border_group": "ap-northeast-2"},
        {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "AMAZON", "network_border_group": "ap-northeast-2"},
        {"ip_prefix": "52.65.1.0/24", "region": "ap-southeast-2", "service": "ROUTE53", "network_border_group": "ap-southeast-2"},
        {"ip_prefix": "10.0.0.0/8", "region": "GLOBAL", "service": "S3", "network_border_group": "GLOBAL"}
      ],
      "ipv6_prefixes": [
        {"ipv6_prefix": "2600:1f18::/33", "region": "us-east-1", "service": "EC2", "network_border_group": "us-east-1"},
        {"ipv6_prefix": "::/0", "region": "GLOBAL", "service": "AMAZON", "network_border_group": "GLOBAL"}
      ]
    }"#;

    fn code<'a>(ranges: &'a ServiceRanges, address: &str) -> &'a str {
        ranges.code_of(address.parse().unwrap()).unwrap_or("-")
    }

    #[test]
    fn the_longest_prefix_counts_then_the_service_that_uses_another() {
        let ranges = ServiceRanges::parse(PUBLISHED).unwrap();
        for (address, expected) in [
            ("52.95.128.179", "S3"),
            ("52.95.127.255", "-"),
            ("52.95.131.255", "S3"),
            ("52.95.132.0", "AMAZON"),
            ("52.95.133.0", "S3"),
            ("52.95.136.0", "-"),
            ("3.5.140.1", "EC2"),
            ("2600:1f18:0:1::1", "EC2"),
            ("2600:1f18:8000::1", "AMAZON"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "AMAZON"),
            // Weir's own public addresses, and what the list knows better.
            ("52.64.0.9", "EC2"),
            ("52.65.1.9", "ROUTE53"),
            ("52.65.2.9", "EC2"),
            // Not public.
            ("10.1.2.3", "-"),
            ("fd00::1", "-"),
            ("fe80::1", "-"),
            ("8.8.8.8", "-"),
        ] {
            assert_eq!(code(&ranges, address), expected, "{address}");
        }
    }

    #[test]
    fn what_is_built_in_are_weirs_own_services() {
        let ranges = ServiceRanges::built_in();
        for region in Region::all() {
            for service in AwsService::ALL {
                let address = service.address(region).unwrap();
                assert_eq!(ranges.code_of(address), Some(service.range_name()));
            }
        }
        assert_eq!(code(&ranges, "52.79.255.254"), "EC2");
        assert_eq!(code(&ranges, "52.80.0.1"), "-");
        assert_eq!(code(&ranges, "203.0.113.5"), "-");
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_place() {
        let mut text = String::new();
        for json in [
            "",
            "{}",
            "{\"prefixes\": [\n {\"ip_prefix\": \"52.95.300.0/21\", \"service\": \"S3\"}]}",
            "{\"prefixes\": [\n {\"ip_prefix\": \"52.95.1.0/21\", \"service\": \"S3\"}]}",
            "{\"prefixes\": [\n {\"ip_prefix\": \"2600::/21\", \"service\": \"S3\"}]}",
            "{\"prefixes\": [], \"ipv6_prefixes\": [\n {\"ipv6_prefix\": \"1.0.0.0/8\", \"service\": \"S3\"}]}",
            "{\"prefixes\": [\n {\"ip_prefix\": \"1.0.0.0/8\", \"service\": \"S 3\"}]}",
            "{\"prefixes\": [\n {\"ip_prefix\": \"1.0.0.0/8\"}]}",
            "{\"prefixes\": 5}",
            "{\"prefixes\": []",
        ] {
            text += &format!("{}\n", ServiceRanges::parse(json).unwrap_err());
        }
        expect![[r#"
            EOF while parsing a value at line 1 column 0
            missing field `prefixes` at line 1 column 2
            "52.95.300.0/21" is no CIDR block at line 2 column 31
            "52.95.1.0/21" is no CIDR block at line 2 column 29
            2600::/21 is no block of IPv4 at line 2 column 26
            1.0.0.0/8 is no block of IPv6 at line 2 column 28
            "S 3" is no code of a service at line 2 column 45
            missing field `service` at line 2 column 27
            invalid type: integer `5`, expected a sequence at line 1 column 14
            EOF while parsing an object at line 1 column 15
        "#]]
        .assert_eq(&text);
    }

    fn block() -> impl Strategy<Value = IpNet> {
        // Few bits, so that ranges nest.
        let v4 = (0..64_u32, 4..=10_u8).prop_map(|(bits, length)| {
            IpNet::V4(
                Ipv4Net::new((bits << 22 | 1 << 30).into(), length)
                    .unwrap()
                    .trunc(),
            )
        });
        let v6 = (0..64_u128, 0..=10_u8).prop_map(|(bits, length)| {
            IpNet::V6(
                ipnet::Ipv6Net::new((bits << 118).into(), length)
                    .unwrap()
                    .trunc(),
            )
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn as_a_scan_of_all_ranges_says(
            ranges in prop::collection::vec(
                (block(), prop::sample::select(vec!["AMAZON", "EC2", "S3", "EBS"])), 0..40),
            addresses in prop::collection::vec(any::<(bool, u16)>(), 1..40),
        ) {
            let listed = ranges.iter().map(|(block, code)| (*block, (*code).to_owned()));
            let table = ServiceRanges::new(listed);
            for (is_v6, bits) in addresses {
                let address: IpAddr = match is_v6 {
                    false => IpAddr::V4((u32::from(bits) << 16).into()),
                    true => IpAddr::V6((u128::from(bits) << 112).into()),
                };
                let within = ranges.iter().filter(|(block, _)| block.contains(&address));
                let best = within.min_by_key(|(block, code)| {
                    (std::cmp::Reverse(block.prefix_len()), rank(code), *code)
                });
                let expected = best.map(|(_, code)| *code).filter(|_| is_public(address));
                prop_assert_eq!(table.code_of(address), expected);
            }
        }
    }
}
