//! By which of the host's interfaces its own packets reach the internet.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::error::{During, Error, Result};

/// The host's way to the internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outside {
    /// The interfaces of its default routes.
    pub(crate) interfaces: Vec<String>,
    /// Those whose forwarding has to be switched on for IPv4.
    pub(crate) to_switch_on: Vec<String>,
    /// Whether the host forwards IPv6 and has a default route for it.
    pub(crate) ipv6: bool,
}

impl Outside {
    /// Looks at this process's network namespace.
    pub(crate) fn find() -> Result<Self> {
        let routes = "/proc/net/route";
        let v4 =
            default_interfaces(&fs::read_to_string(routes).during(|| format!("read {routes}"))?);
        let v6 =
            default_interfaces_v6(&fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default());
        if v4.is_empty() {
            return Err(Error::Uplink(
                "this machine has no default route for IPv4; connect it to the internet first \
                 (`ip route` shows its routes)"
                    .into(),
            ));
        }
        let everywhere = is_on("ipv4/ip_forward");
        let to_switch_on: Vec<String> = (v4.iter())
            .filter(|name| !is_on(&forwarding(name)))
            .cloned()
            .collect();
        if let (true, Some(name)) = (everywhere, to_switch_on.first()) {
            return Err(Error::Uplink(format!(
                "this machine forwards packets, but not those of {name}; \
                 if that may change: `sysctl -w net.ipv4.conf.{}.forwarding=1`",
                name.replace('.', "/")
            )));
        }
        let ipv6 = !v6.is_empty() && is_on("ipv6/conf/all/forwarding");
        let mut interfaces = v4;
        interfaces.extend(v6.into_iter().filter(|_| ipv6));
        interfaces.sort();
        interfaces.dedup();
        match interfaces.iter().find(|name| !can_be_quoted(name)) {
            Some(name) => Err(Error::Uplink(format!(
                "the interface {name:?} has a name that nftables cannot match exactly; rename it"
            ))),
            None => Ok(Self {
                interfaces,
                to_switch_on,
                ipv6,
            }),
        }
    }
}

/// The setting, below `/proc/sys/net`, of whether packets that come in by an interface are forwarded.
pub(crate) fn forwarding(interface: &str) -> String {
    format!("ipv4/conf/{interface}/forwarding")
}

/// Whether a setting below `/proc/sys/net` is on.
pub(crate) fn is_on(setting: &str) -> bool {
    fs::read_to_string(format!("/proc/sys/net/{setting}")).is_ok_and(|value| value.trim() != "0")
}

/// In `/proc/net/route`: interface, destination, gateway, flags, three numbers, mask.
fn default_interfaces(text: &str) -> Vec<String> {
    let interface = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let flags = u32::from_str_radix(words.get(3)?, 16).ok()?;
        let all = words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000");
        (all && flags & RTF_REJECT == 0).then(|| words[0].to_owned())
    };
    text.lines().skip(1).filter_map(interface).collect()
}

/// In `/proc/net/ipv6_route`: destination, its length, source, its length, next hop, three numbers, flags, interface.
fn default_interfaces_v6(text: &str) -> Vec<String> {
    let interface = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let flags = u32::from_str_radix(words.get(8)?, 16).ok()?;
        let all = words.get(1) == Some(&"00") && words.get(3) == Some(&"00");
        let name = *words.get(9)?;
        (all && flags & RTF_REJECT == 0 && name != "lo").then(|| name.to_owned())
    };
    text.lines().filter_map(interface).collect()
}

/// A trailing asterisk would match other interfaces, too.
fn can_be_quoted(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'*'))
}

/// A route that refuses, from `linux/route.h`.
const RTF_REJECT: u32 = 0x200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_found() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    *\t00000000\t00000000\t0200\t0\t0\t9\t00000000\t0\t0\t0\n\
                    tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n\
                    broken\n";
        assert_eq!(default_interfaces(text), ["eth0"]);
        let zero = "00000000000000000000000000000000";
        let text = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 wlan0\n\
             fd000000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n"
        );
        assert_eq!(default_interfaces_v6(&text), ["wlan0"]);
    }

    #[test]
    fn names_that_would_match_others_are_refused() {
        assert!(can_be_quoted("enp3s0.100"));
        assert!(!can_be_quoted("eth*"));
        assert!(!can_be_quoted("a\"b"));
    }
}
