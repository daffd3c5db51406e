//! Columns: the fields of a file's records, by AWS's names.

use std::net::IpAddr;

use model::FlowLogField;

/// What values of a field are (Amazon VPC User Guide, "Flow log records": Parquet data types).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `INT_32` in Parquet.
    Int32,
    /// `INT_64` in Parquet.
    Int64,
    /// An address; text in Parquet.
    Address,
    /// Anything; text in Parquet.
    Text,
}

/// A field of a file's records. Fields that nobody knows yet are columns too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    name: String,
    kind: Kind,
}

/// Fields that only transit gateway flow logs have (Amazon VPC Transit Gateways, "AWS Transit
/// Gateway Flow Logs").
const TRANSIT_GATEWAY: [&str; 18] = [
    "resource-type",
    "tgw-id",
    "tgw-attachment-id",
    "tgw-src-vpc-account-id",
    "tgw-dst-vpc-account-id",
    "tgw-src-vpc-id",
    "tgw-dst-vpc-id",
    "tgw-src-subnet-id",
    "tgw-dst-subnet-id",
    "tgw-src-eni",
    "tgw-dst-eni",
    "tgw-src-az-id",
    "tgw-dst-az-id",
    "tgw-pair-attachment-id",
    "packets-lost-no-route",
    "packets-lost-blackhole",
    "packets-lost-mtu-exceeded",
    "packets-lost-ttl-expired",
];

impl Column {
    /// The column of a field, by AWS's name or by that of the column in Parquet.
    pub fn new(name: &str) -> Self {
        let name = name.replace('_', "-");
        let kind = kind_of(&name);
        Self { name, kind }
    }

    /// AWS's name: `log-status`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its values are.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The name in Parquet: `log_status`.
    pub fn parquet_name(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Whether a value can be one of this field's; `-` always can.
    pub fn admits(&self, value: &str) -> bool {
        match self.kind {
            Kind::Text => true,
            _ if value == "-" => true,
            Kind::Int32 => is_number(value, 10) && value.parse::<i32>().is_ok(),
            Kind::Int64 => is_number(value, 18) || value.parse::<i64>().is_ok_and(|v| v >= 0),
            Kind::Address => is_address(value),
        }
    }
}

/// Digits only, and few enough to be looked at no further.
fn is_number(value: &str, digits_max: usize) -> bool {
    (1..=digits_max).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit())
}

fn is_address(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
}

fn kind_of(name: &str) -> Kind {
    match name {
        "version" | "srcport" | "dstport" | "protocol" | "tcp-flags" | "traffic-path"
        | "encryption-status" => Kind::Int32,
        "packets" | "bytes" | "start" | "end" => Kind::Int64,
        "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" => Kind::Address,
        name if name.starts_with("packets-lost-") => Kind::Int64,
        _ => Kind::Text,
    }
}

/// The columns of a file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// These columns.
    pub fn new(columns: Vec<Column>) -> Self {
        Self(columns)
    }

    /// The columns that the first line of a file names, with hyphens or underscores. `None` when
    /// the line is not a header: at least one of its names must be of a known field.
    pub fn from_header(line: &str) -> Option<Self> {
        let names = || line.split(' ');
        let header = names().all(is_name) && names().any(is_known);
        header.then(|| Self(names().map(Column::new).collect()))
    }

    /// The columns that a later line names: as a header, but of at least two known fields and no
    /// other, so that no record is taken for one. Such lines are where files were put together.
    pub fn from_later_header(line: &str) -> Option<Self> {
        // Decides nearly every record by its first byte.
        if !line.as_bytes().first().is_some_and(u8::is_ascii_lowercase) {
            return None;
        }
        let header = line.contains(' ') && line.split(' ').all(is_known);
        header.then(|| Self(line.split(' ').map(Column::new).collect()))
    }

    /// Every column.
    pub fn iter(&self) -> std::slice::Iter<'_, Column> {
        self.0.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The place of a field, the first if it is there twice.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|column| column.name == name)
    }
}

/// Those of the default format, the fields of version 2.
impl Default for Columns {
    fn default() -> Self {
        let version_2 = FlowLogField::ALL.iter().filter(|f| f.version() == 2);
        Self(version_2.map(|f| Column::new(f.name())).collect())
    }
}

fn is_name(word: &str) -> bool {
    let begins = word.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    let rest = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    begins && word.bytes().all(rest)
}

fn is_known(word: &str) -> bool {
    let same = |name: &str| {
        name.len() == word.len()
            && name
                .bytes()
                .zip(word.bytes())
                .all(|(a, b)| a == b || (a == b'-' && b == b'_'))
    };
    FlowLogField::ALL.iter().any(|f| same(f.name())) || TRANSIT_GATEWAY.iter().any(|n| same(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_from_records() {
        let names = |line: &str| {
            Columns::from_header(line)
                .map(|c| c.iter().map(Column::name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(
            names("version account_id new-field-2").as_deref(),
            Some("version account-id new-field-2")
        );
        assert_eq!(
            names("resource-type tgw-id packets-lost-blackhole").as_deref(),
            Some("resource-type tgw-id packets-lost-blackhole")
        );
        for record in [
            "",
            "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA",
            "eni-1235b8ca123456789 use1-az3",
            "us-east-1 ingress",
            "version  end",
            " version",
            "VERSION",
        ] {
            assert_eq!(names(record), None, "{record}");
        }
        assert!(Columns::from_later_header("start end").is_some());
        // A tag may have any value, also that of a field's name.
        for record in ["start", "start prod", "10.0.0.1 10.0.0.2"] {
            assert_eq!(Columns::from_later_header(record), None);
        }
    }

    #[test]
    fn values_of_kinds() {
        let admits = |name: &str, value: &str| Column::new(name).admits(value);
        assert!(admits("srcport", "65535") && admits("srcport", "-"));
        assert!(!admits("srcport", "x") && !admits("srcport", "+1") && !admits("srcport", ""));
        assert!(!admits("tcp_flags", "99999999999") && !admits("version", "4294967296"));
        assert!(admits("bytes", "9223372036854775807") && !admits("bytes", "9223372036854775808"));
        assert!(!admits("bytes", "-1"));
        assert!(admits("pkt-srcaddr", "2001:db8::1") && !admits("pkt-srcaddr", "10.0.0"));
        assert!(admits("instance-tag", "%2D") && admits("new-field", "?"));
    }
}
