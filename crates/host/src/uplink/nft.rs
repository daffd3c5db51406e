//! The rules of the uplink, in nftables' own language, and the program that puts them in force.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{DEVICE, INNER, Outside, TAP, TRANSFER};
use crate::error::{During, Error, Result};

/// What to say if there is no `nft`.
pub(crate) const MISSING: &str =
    "the program nft is not installed; install nftables (`apt-get install nftables`)";

/// Destinations that exist only inside networks, or not at all.
const NOT_GLOBAL: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, \
                          172.16.0.0/12, 192.168.0.0/16, 224.0.0.0/3";

/// `nft`, where it is installed.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join("nft"))
        .find(|file| file.is_file())
}

/// Puts rules in force in the network namespace of the calling thread: all of them or none.
pub(crate) fn run(rules: &str) -> Result<()> {
    ask(&["-f", "-"], rules).map(drop)
}

/// The interfaces whose forwarding a keeper that never undid it has switched on.
pub(crate) fn left_switched_on() -> Vec<String> {
    let answer = ask(&["-j", "list", "set", "inet", TABLE, SWITCHED_ON], "");
    answer
        .map(|json| elements(&json).unwrap_or_default())
        .unwrap_or_default()
}

fn elements(json: &str) -> Option<Vec<String>> {
    let json: serde_json::Value = serde_json::from_str(json).ok()?;
    let mut objects = json.get("nftables")?.as_array()?.iter();
    let set = objects.find_map(|object| object.get("set"))?;
    let names = set.get("elem")?.as_array()?.iter();
    Some(
        names
            .filter_map(|name| Some(name.as_str()?.to_owned()))
            .collect(),
    )
}

fn ask(arguments: &[&str], input: &str) -> Result<String> {
    let program = program().ok_or_else(|| Error::Uplink(MISSING.into()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .during(|| "start nft".into())?;
    if let Some(mut stdin) = child.stdin.take() {
        // If it ends before it has read everything, it says why.
        _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().during(|| "wait for nft".into())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().next().unwrap_or("it says nothing");
    Err(Error::Uplink(format!("nft refused its rules: {first}")))
}

/// The rules of the namespace in between: public addresses become [`TRANSFER`], answers find back, nothing else passes.
pub(crate) fn inner() -> String {
    format!(
        r#"table inet {TABLE} {{
  chain input {{ type filter hook input priority filter; policy drop; }}
  chain output {{ type filter hook output priority filter; policy drop; }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ip daddr {{ {NOT_GLOBAL} }} iifname "{TAP}" drop
    ip6 daddr != 2000::/3 iifname "{TAP}" drop
    iifname "{TAP}" oifname "{INNER}" accept
    iifname "{INNER}" oifname "{TAP}" ct state established,related accept
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    oifname "{INNER}" masquerade
  }}
}}
"#
    )
}

/// The rules of the host, in place of whatever an earlier daemon may have left.
pub(crate) fn outer(outside: &Outside) -> String {
    let names = |names: &[String]| {
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        match quoted.is_empty() {
            true => String::new(),
            false => format!("elements = {{ {} }};", quoted.join(", ")),
        }
    };
    let (every, switched_on) = (names(&outside.interfaces), names(&outside.to_switch_on));
    let [v4, v6] = TRANSFER;
    let (refuse_v6, masquerade_v6) = match outside.ipv6 {
        true => (
            format!("ip6 saddr != {v6} drop"),
            format!("ip6 saddr {v6} oifname @outside masquerade"),
        ),
        false => ("meta nfproto ipv6 drop".to_owned(), String::new()),
    };
    format!(
        r#"{none}
table inet {TABLE} {{
  comment "weir up --uplink"
  set outside {{ type ifname; {every} }}
  set {SWITCHED_ON} {{ type ifname; {switched_on} }}
  chain input {{
    type filter hook input priority filter - 1;
    iifname "{DEVICE}" drop
  }}
  chain forward {{
    type filter hook forward priority filter - 1;
    iifname "{DEVICE}" goto from_uplink
    oifname "{DEVICE}" tcp flags syn tcp option maxseg size set rt mtu
    ct state established,related accept
    oifname "{DEVICE}" drop
    iifname @{SWITCHED_ON} drop
  }}
  chain from_uplink {{
    ip saddr != {v4} drop
    {refuse_v6}
    ip daddr {{ {NOT_GLOBAL} }} drop
    ip6 daddr != 2000::/3 drop
    oifname != @outside drop
    tcp flags syn tcp option maxseg size set rt mtu
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {v4} oifname @outside masquerade
    {masquerade_v6}
  }}
}}
"#,
        none = removal(),
    )
}

/// Takes the host's rules away, also if there are none.
pub(crate) fn removal() -> String {
    format!("table inet {TABLE}\ndelete table inet {TABLE}")
}

const TABLE: &str = "weir";
/// Interfaces whose forwarding is on because of us: the record by which it can be switched off again, which lives
/// exactly as long as that setting does.
const SWITCHED_ON: &str = "switched_on";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_read_back() {
        let set = |elements: &str| {
            format!(
                r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6"}}}},
                   {{"set": {{"family": "inet", "name": "switched_on", "type": "ifname"{elements}}}}}]}}"#
            )
        };
        assert_eq!(
            elements(&set(r#", "elem": ["eth0", "eth1"]"#)),
            Some(vec!["eth0".to_owned(), "eth1".to_owned()])
        );
        assert_eq!(elements(&set("")), None);
        assert_eq!(elements("no JSON"), None);
    }

    #[test]
    fn without_ipv6_none_passes() {
        let outside = Outside {
            interfaces: vec!["eth0".into()],
            to_switch_on: Vec::new(),
            ipv6: false,
        };
        assert!(outer(&outside).contains("meta nfproto ipv6 drop"));
    }
}
