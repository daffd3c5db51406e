//! What people do without Weir: a Linux bridge whose packets pass nftables with connection tracking and a list of rules.

use super::packets::Way;
use super::veth::{self, Pair, ip};
use anyhow::{Result, bail};
use std::io::Write;
use std::process::{Command, Stdio};

/// As many rules as the groups and ACLs of a well-kept subnet, none of which is for what the bench sends.
const RULES: u16 = 25;

/// A sender and a receiver on a bridge in a third namespace; they go when this is dropped.
pub(super) struct Bridge {
    pair: Pair,
    middle: String,
}

impl Bridge {
    /// Needs root and nft.
    pub(super) fn make() -> Result<Self> {
        let own = std::process::id();
        let middle = format!("weir-bench-{own}-bridge");
        ip(&["netns", "add", &middle])?;
        let bridge = Self {
            pair: Pair::apart(&format!("weir-bench-{own}-bridged"))?,
            middle,
        };
        let middle = bridge.middle.as_str();
        ip(&["-n", middle, "link", "add", "br0", "type", "bridge"])?;
        let ends = [
            (&bridge.pair.sender, "10.78.0.1/24"),
            (&bridge.pair.receiver, "10.78.0.2/24"),
        ];
        for (port, (name, address)) in ["left", "right"].into_iter().zip(ends) {
            let mut link = vec!["-n", middle, "link", "add", port, "type", "veth"];
            link.extend(["peer", "name", "eth0", "netns", name]);
            ip(&link)?;
            let mtu = ["mtu", veth::MTU, "up"];
            ip(&[
                &["-n", middle, "link", "set", port, "master", "br0"][..],
                &mtu,
            ]
            .concat())?;
            ip(&[&["-n", name, "link", "set", "eth0"][..], &mtu].concat())?;
            ip(&["-n", name, "address", "add", address, "dev", "eth0"])?;
        }
        ip(&["-n", middle, "link", "set", "br0", "mtu", veth::MTU, "up"])?;
        bridge.guard()?;
        Ok(bridge)
    }

    /// Packets on the bridge pass the rules of the IP layer, connections tracked.
    fn guard(&self) -> Result<()> {
        let call = "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables";
        if !Pair::exec(&self.middle, &["sh", "-c", call])
            .status()?
            .success()
        {
            bail!("packets on a bridge cannot be filtered here (br_netfilter)");
        }
        let mut rules = String::from(
            "table ip bench { chain forward { type filter hook forward priority 0; policy drop;\n\
             ct state established,related accept\n",
        );
        for number in 0..RULES {
            rules.push_str(&format!(
                "ip saddr 192.0.2.{number} tcp dport {number} accept\n"
            ));
        }
        rules.push_str("ip saddr 10.78.0.0/24 accept\n}\n}\n");
        let mut nft = Pair::exec(&self.middle, &["nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = nft.stdin.take() {
            input.write_all(rules.as_bytes())?;
        }
        if !nft.wait()?.success() {
            bail!("nft does not take the rules");
        }
        Ok(())
    }

    pub(super) fn pair(&self) -> &Pair {
        &self.pair
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = ip(&["netns", "delete", &self.middle]);
    }
}

impl Way for Bridge {
    fn sender(&self, program: &[&str]) -> Command {
        self.pair.sender(program)
    }

    fn receiver(&self, program: &[&str]) -> Command {
        self.pair.receiver(program)
    }

    fn address(&self) -> &str {
        self.pair.address()
    }
}
