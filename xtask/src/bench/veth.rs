//! The limit: two network namespaces joined by a bare veth pair.

use super::process;
use anyhow::{Context, Result, bail};
use std::process::Command;

pub(super) const RECEIVER: &str = "10.78.0.2";
pub(super) const MTU: &str = "9001";

/// Two namespaces, named by this process; they go when this is dropped.
pub(super) struct Pair {
    pub(super) sender: String,
    pub(super) receiver: String,
}

impl Pair {
    /// Two namespaces with nothing between them.
    pub(super) fn apart(name: &str) -> Result<Self> {
        let pair = Self {
            sender: format!("{name}-a"),
            receiver: format!("{name}-b"),
        };
        ip(&["netns", "add", &pair.sender])?;
        ip(&["netns", "add", &pair.receiver])?;
        Ok(pair)
    }

    /// Needs root.
    pub(super) fn make() -> Result<Self> {
        let pair = Self::apart(&format!("weir-bench-{}", std::process::id()))?;
        let (a, b) = (pair.sender.as_str(), pair.receiver.as_str());
        let mut link = vec!["-n", a, "link", "add", "eth0", "type", "veth"];
        link.extend(["peer", "name", "eth0", "netns", b]);
        ip(&link)?;
        for (name, address) in [(a, "10.78.0.1/24"), (b, "10.78.0.2/24")] {
            ip(&["-n", name, "link", "set", "eth0", "mtu", MTU, "up"])?;
            ip(&["-n", name, "address", "add", address, "dev", "eth0"])?;
        }
        Ok(pair)
    }

    /// A program inside one of the namespaces.
    pub(super) fn exec(name: &str, program: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name]).args(program);
        command
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in [&self.sender, &self.receiver] {
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

pub(super) fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {}", arguments.join(" "), error.trim());
    }
    Ok(())
}

const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/// Lets namespaces use `cubic`, which the machine may reserve for its own; undone when this is dropped.
pub(super) struct CubicAllowed {
    before: String,
}

impl CubicAllowed {
    pub(super) fn allow() -> Result<Self> {
        let before = std::fs::read_to_string(ALLOWED)?;
        let names = format!("{} cubic", before.trim());
        std::fs::write(ALLOWED, names).context("allowing cubic to namespaces")?;
        Ok(Self { before })
    }
}

impl Drop for CubicAllowed {
    fn drop(&mut self) {
        let _ = std::fs::write(ALLOWED, self.before.trim());
    }
}

/// Makes `cubic` the congestion control of a namespace, seen through a program that enters it. Elsewhere another may
/// be the default, and it decides the figure. Ports may be used again soon: thousands of connections follow each other.
pub(super) fn use_cubic(mut enter: Command) -> Result<()> {
    let write = "cd /proc/sys/net/ipv4; echo cubic > tcp_congestion_control; \
                 echo 1 > tcp_tw_reuse; echo 1024 65535 > ip_local_port_range";
    let status = enter.args(["sh", "-c", write]).status()?;
    if !status.success() {
        bail!("cannot set the congestion control");
    }
    Ok(())
}

/// A program that enters the network namespace of a process.
pub(super) fn enter_network_of(pid: u64) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &pid.to_string(), "--"]);
    command
}

/// CPU time that is spent on packets outside of the programs that send and receive them.
pub(super) fn carrier_seconds(daemon: u32) -> Result<f64> {
    Ok(process::cpu_seconds(daemon)? + process::softirq_seconds()?)
}
