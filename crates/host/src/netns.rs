//! Network namespaces, held by file descriptor.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::error::{During, Error, Result};
use crate::netlink::Netlink;

/// A network namespace. It lives as long as a process, a device or this handle uses it.
#[derive(Debug)]
pub struct NetworkNamespace {
    fd: OwnedFd,
}

impl NetworkNamespace {
    /// The network namespace of a process.
    pub fn of_process(pid: Pid) -> Result<Self> {
        Self::open(Path::new(&format!("/proc/{}/ns/net", pid.as_raw_nonzero())))
    }

    /// The network namespace of the calling thread.
    pub fn current() -> Result<Self> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// A new network namespace, in which nothing is up.
    pub fn create() -> Result<Self> {
        in_thread(|| {
            // SAFETY: only this short-lived thread changes namespace; file descriptors stay shared.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
                .during(|| "create a network namespace".into())?;
            Self::current()
        })
    }

    /// Another handle on the same namespace.
    pub fn try_clone(&self) -> Result<Self> {
        let fd = self
            .fd
            .try_clone()
            .during(|| "keep a network namespace".into())?;
        Ok(Self { fd })
    }

    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).during(|| format!("open {}", path.display()))?;
        Ok(Self { fd: file.into() })
    }

    /// Runs `work` on a short-lived thread inside the namespace.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
        in_thread(|| {
            move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network))
                .during(|| "enter a network namespace".into())?;
            work()
        })
    }

    /// Prepares a fresh namespace for the programs of an instance: loopback up; ports below 1024 and ping for
    /// everybody (at least the group `gid`, where the user namespace knows few); IPv6 addresses usable at once and
    /// only those that we give. Programs inside cannot ask for forwarding, so it is on: whether an instance may be a
    /// middlebox is for the source/destination checks of its interfaces to say.
    pub fn prepare(&self, gid: u32) -> Result<()> {
        self.run(|| {
            let range = "/proc/sys/net/ipv4/ping_group_range";
            if let Err(error) = std::fs::write(range, "0 2147483647")
                .or_else(|_| std::fs::write(range, format!("{gid} {gid}")))
            {
                tracing::debug!(%error, "programs may not ping");
            }
            for (path, value) in SYSCTLS {
                let path = format!("/proc/sys/net/{path}");
                if let Err(error) = std::fs::write(&path, value) {
                    tracing::debug!(%path, value, %error, "a network setting was refused");
                }
            }
            let mut netlink = Netlink::open()?;
            let loopback = netlink.index_of("lo")?;
            netlink.set_up(loopback)
        })
    }
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const SYSCTLS: [(&str, &str); 11] = [
    ("ipv4/ip_unprivileged_port_start", "0"),
    ("ipv4/ip_forward", "1"),
    // A middlebox sends on by the interface that a packet came in by.
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/autoconf", "0"),
];

fn in_thread<R: Send>(work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("netns".into())
            .spawn_scoped(scope, work)
            .during(|| "start a thread".into())?;
        thread.join().unwrap_or_else(|_| {
            Err(Error::Invalid(
                "a thread inside a network namespace panicked".into(),
            ))
        })
    })
}
