//! A network for the program itself: sockets of the kernel that are reached by one TAP device, and by nothing else.
//!
//! The namespace holds one interface and no process. Nothing is forwarded in it, and it has no way to the host: whoever
//! reads and writes the [`Tap`] decides what gets to the sockets, and where their answers go.

use std::net::{SocketAddr, TcpListener};

use crate::device::{Interface, Tap};
use crate::error::{During, Result};
use crate::netns::NetworkNamespace;

/// A network namespace for sockets of this process.
#[derive(Debug)]
pub struct ServiceNetwork {
    namespace: NetworkNamespace,
}

impl ServiceNetwork {
    /// Makes the network with its one interface. It is gone when this, the [`Tap`] and every socket in it are.
    pub fn create(interface: &Interface) -> Result<(Self, Tap)> {
        let namespace = NetworkNamespace::create()?;
        namespace.run(|| {
            for (path, value) in SETTINGS {
                let path = format!("/proc/sys/net/{path}");
                // A kernel without IPv6 lacks some of them.
                if let Err(error) = std::fs::write(&path, value)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    return Err(error).during(|| format!("write {value} to {path}"));
                }
            }
            Ok(())
        })?;
        let tap = Tap::create(&namespace, interface)?;
        Ok((Self { namespace }, tap))
    }

    /// Listens inside. The listener does not block, and works in any thread.
    pub fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        self.namespace.run(|| {
            let listener = TcpListener::bind(address)
                .during(|| format!("listen on {address} in the service network"))?;
            listener
                .set_nonblocking(true)
                .during(|| "prepare a listener".into())?;
            Ok(listener)
        })
    }
}

/// A host that neither forwards nor configures itself.
const SETTINGS: [(&str, &str); 8] = [
    ("ipv4/ip_forward", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/forwarding", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/autoconf", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
];
