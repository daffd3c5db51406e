//! Names of IP protocols that people know; all others go by their numbers.

/// Number, EC2's name ("IpPermission": `IpProtocol`), keyword of IANA's registry "Protocol Numbers" in lower case.
const PROTOCOLS: [(u8, &str, &str); 4] = [
    (1, "icmp", "icmp"),
    (6, "tcp", "tcp"),
    (17, "udp", "udp"),
    (58, "icmpv6", "ipv6-icmp"),
];

/// The name that EC2 knows a protocol by.
pub fn name(number: u8) -> Option<&'static str> {
    find(number).map(|(_, name, _)| *name)
}

/// IANA's keyword, in lower case.
pub fn keyword(number: u8) -> Option<&'static str> {
    find(number).map(|(.., keyword)| *keyword)
}

/// The number of a protocol by EC2's name, in any case, or by its number.
pub fn number(text: &str) -> Option<u8> {
    let mut named = PROTOCOLS.iter();
    let named = named.find(|(_, name, _)| text.eq_ignore_ascii_case(name));
    let digits = || text.bytes().all(|b| b.is_ascii_digit());
    match named {
        Some((number, ..)) => Some(*number),
        None => text.parse().ok().filter(|_| digits()),
    }
}

fn find(number: u8) -> Option<&'static (u8, &'static str, &'static str)> {
    PROTOCOLS.iter().find(|(of, ..)| *of == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_in_any_case_and_numbers_as_they_are() {
        assert_eq!((number("TCP"), number("icmpV6")), (Some(6), Some(58)));
        assert_eq!((number("47"), number("gre")), (Some(47), None));
        assert_eq!(
            (number("+6"), number("256"), number("")),
            (None, None, None)
        );
        assert_eq!((name(58), keyword(58)), (Some("icmpv6"), Some("ipv6-icmp")));
        assert_eq!((name(47), keyword(47)), (None, None));
    }
}
