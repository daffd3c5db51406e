//! The process that changes the host for the uplink, and undoes it when the daemon ends, even if it is killed.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use super::{
    DEVICE, HOST, HOST_MAC, INNER, INNER_MAC, Plan, TRANSFER, end_of_pair, nft,
    outside::{forwarding, is_on},
};
use crate::device::configure;
use crate::error::{During, Error, Result};
use crate::netlink::{Netlink, Pair};
use crate::sys;

/// What the keeper prints when the host is ready.
pub(crate) const READY: &str = "ready";

/// The keeper's whole life; its standard input ends when the daemon does.
pub(crate) fn keeper_main(plan: Option<String>) -> ! {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
        sys::ignore_signal(signal, true);
    }
    let plan = plan.and_then(|json| serde_json::from_str(&json).ok());
    let result = match plan {
        Some(plan) => keep(&plan),
        None => Err(Error::Invalid("a keeper needs a plan".into())),
    };
    let mut status = 0;
    if let Err(error) = result {
        let words = match error {
            Error::Uplink(reason) => reason,
            Error::System { operation, source } if source.raw_os_error() == Some(libc::EPERM) => {
                format!(
                    "only root may change this machine's network; \
                     run `weir up --uplink` as root ({operation}: {source})"
                )
            }
            other => other.to_string(),
        };
        // Nobody listens if the daemon has ended meanwhile.
        _ = writeln!(std::io::stdout(), "{}", words.replace('\n', " "));
        status = 1;
    }
    std::process::exit(status);
}

fn keep(plan: &Plan) -> Result<()> {
    let _only_one = lock()?;
    clean_up()?;
    let ready = change(plan).and_then(|()| {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{READY}")
            .and_then(|()| stdout.flush())
            .during(|| "tell the daemon".into())
    });
    if ready.is_ok() {
        // Whatever ends it, it has ended.
        _ = std::io::stdin().read_to_end(&mut Vec::new());
    }
    ready.and(clean_up())
}

/// Rules first, then the device, then forwarding: at no moment could anything pass that they refuse.
fn change(plan: &Plan) -> Result<()> {
    let outside = &plan.outside;
    nft::run(&nft::outer(outside))?;
    let namespace =
        fs::File::open(&plan.namespace).during(|| format!("open {}", plan.namespace))?;
    let mut netlink = Netlink::open()?;
    netlink.add_pair(&Pair {
        name: DEVICE,
        mac: HOST_MAC,
        far_name: INNER,
        far_mac: INNER_MAC,
        far_namespace: namespace.as_fd(),
    })?;
    // The host's router advertisements and redirects are none of its business.
    for (setting, value) in [("accept_ra", "0"), ("addr_gen_mode", "1")] {
        _ = fs::write(format!("/proc/sys/net/ipv6/conf/{DEVICE}/{setting}"), value);
    }
    configure(
        &mut netlink,
        &end_of_pair(DEVICE, HOST_MAC, INNER_MAC, &HOST, &TRANSFER, outside.ipv6),
    )?;
    switch(&forwarding(DEVICE), "1")?;
    for interface in &outside.to_switch_on {
        switch(&forwarding(interface), "1")?;
    }
    Ok(())
}

/// Undoes what this keeper did, or one before it that was killed.
fn clean_up() -> Result<()> {
    let left = nft::left_switched_on();
    // If somebody has made the machine a router meanwhile, forwarding is theirs.
    if !is_on("ipv4/ip_forward") {
        for interface in &left {
            let setting = forwarding(interface);
            if is_on(&setting) {
                switch(&setting, "0")?;
            }
        }
    }
    Netlink::open()?.delete_link(DEVICE)?;
    nft::run(&nft::removal())
}

fn switch(setting: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{setting}");
    fs::write(&path, value).during(|| format!("write {value} to {path}"))
}

/// One keeper in a network namespace, which is where such names belong. The one before may still be cleaning up.
fn lock() -> Result<UnixListener> {
    let name = SocketAddr::from_abstract_name(b"weir-uplink")
        .during(|| "name the uplink's lock".into())?;
    for _ in 0..100 {
        match UnixListener::bind_addr(&name) {
            Ok(lock) => return Ok(lock),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                std::thread::sleep(Duration::from_millis(30));
            }
            Err(error) => return Err(error).during(|| "take the uplink's lock".into()),
        }
    }
    Err(Error::Uplink(
        "another daemon on this machine has it; only one can".into(),
    ))
}
