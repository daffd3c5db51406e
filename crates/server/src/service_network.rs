//! The doors of the service network: listeners that instances reach as AWS's services, each by its own address.
//!
//! Who knocks is known from the network: the data plane says whom the source of a connection stands for.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use dataplane::{Backend, MTU_SERVICES, SERVICES_ROUTER_MAC, origin_networks};
use host::{Interface, InterfaceAddress, InterfaceRoute, Neighbour};
use instance_metadata::TokenKey;
use model::{AwsService, Region};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::arrival::{Arrival, EndpointPolicies};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::datapath::Datapath;
use crate::http::{self as port, Entrance};
use crate::proxy::Upstream;
use crate::tls::Authority;
use crate::{clock, dns, metadata};

/// A listener of the service network.
pub(crate) struct Door {
    backend: Backend,
    secure: bool,
    listener: TcpListener,
}

/// What a daemon has for those who come by the service network.
pub(crate) struct Reception {
    /// Whom instances trust.
    pub(crate) authority: Authority,
    /// What sessions of the instance metadata service are made with.
    pub(crate) metadata_key: TokenKey,
    /// What endpoints let through.
    pub(crate) policies: EndpointPolicies,
    /// What stands for DynamoDB.
    pub(crate) dynamodb: Option<Upstream>,
}

impl Reception {
    /// Opens the certificate authority of a state folder.
    ///
    /// # Errors
    ///
    /// If it is not usable, or an endpoint is not.
    pub(crate) fn new(config: &Config, state: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            authority: Authority::open(state).context("the certificate authority is not usable")?,
            metadata_key: TokenKey::new(clock::random()),
            policies: EndpointPolicies::default(),
            dynamodb: config.dynamodb()?,
        })
    }
}

/// The MAC address of the daemon's end.
pub(crate) const SERVICES_MAC: [u8; 6] = [0x0e, 0, 0, 0, 2, 1];
/// The next hop towards instances; nothing else has these addresses.
const ROUTER: Ipv4Addr = Ipv4Addr::new(169, 254, 254, 254);
const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe);
const DNS: u16 = 53;
const HTTP: u16 = 80;
const HTTPS: u16 = 443;
/// A client has so long to begin TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at a time, of everybody and of one source.
const CONNECTIONS_MAX: usize = 1024;
const CONNECTIONS_PER_SOURCE_MAX: usize = 64;

/// The one interface of the service network.
pub(crate) fn interface() -> Interface {
    let address = |address: IpAddr, prefix| InterfaceAddress { address, prefix };
    let own = Backend::all().flat_map(|backend| {
        let (v4, v6) = backend.addresses();
        [address(v4.into(), 32), address(v6.into(), 128)]
    });
    let router = |ipv4| match ipv4 {
        true => IpAddr::V4(ROUTER),
        false => IpAddr::V6(ROUTER_V6),
    };
    let to_origins = origin_networks().map(|(destination, prefix)| InterfaceRoute {
        destination,
        prefix,
        via: Some(router(destination.is_ipv4())),
        onlink: true,
        metric: None,
        source: None,
    });
    let neighbours = [true, false].map(|ipv4| Neighbour {
        address: router(ipv4),
        mac: SERVICES_ROUTER_MAC.0,
    });
    Interface {
        name: "services".to_owned(),
        mac: SERVICES_MAC,
        mtu: MTU_SERVICES.into(),
        addresses: own.collect(),
        routes: to_origins.to_vec(),
        neighbours: neighbours.to_vec(),
    }
}

/// The names below which buckets are found inside instances.
pub(crate) fn s3_names() -> Vec<String> {
    Region::all()
        .flat_map(|region| AwsService::S3.endpoint_names(region))
        .collect()
}

/// Makes the service network, which lives as long as the answer does, and opens its doors.
///
/// # Errors
///
/// If the kernel refuses.
pub(crate) fn open(
    config: &Config,
    datapath: &Datapath,
) -> anyhow::Result<(host::ServiceNetwork, Vec<Door>)> {
    let network = datapath
        .connect_services()
        .context("the service network cannot be made")?;
    let has_dynamodb = config.dynamodb_endpoint.is_some();
    let is_served = |service| service != AwsService::DynamoDb || has_dynamodb;
    let doors = open_doors(&network, is_served)?;
    Ok((network, doors))
}

fn open_doors(
    network: &host::ServiceNetwork,
    is_served: impl Fn(AwsService) -> bool,
) -> anyhow::Result<Vec<Door>> {
    let mut doors = Vec::new();
    for backend in Backend::all() {
        let ports: &[(u16, bool)] = match backend {
            Backend::Metadata => &[(HTTP, false)],
            Backend::Dns => &[(DNS, false)],
            Backend::Aws(service) if is_served(service) => &[(HTTP, false), (HTTPS, true)],
            Backend::Aws(service) => {
                tracing::info!(
                    %service,
                    "nothing stands for this service: connections to it are refused (--service {service}=URL)"
                );
                continue;
            }
        };
        let (v4, v6) = backend.addresses();
        for &(port, secure) in ports {
            for address in [IpAddr::V4(v4), IpAddr::V6(v6)] {
                let listener = match network.listen(SocketAddr::new(address, port)) {
                    Ok(listener) => listener,
                    // A kernel without IPv6.
                    Err(error) if address.is_ipv6() => {
                        tracing::debug!(%error, "instances do not reach this by IPv6");
                        continue;
                    }
                    Err(error) => return Err(error).context("the service network is not usable"),
                };
                doors.push(Door {
                    backend,
                    secure,
                    listener: TcpListener::from_std(listener)?,
                });
            }
        }
    }
    Ok(doors)
}

/// Serves whoever comes by any of the doors, until the daemon ends.
pub(crate) async fn serve(doors: Vec<Door>, daemon: Arc<Daemon>) {
    let places = Arc::new(Places::default());
    let mut tasks = tokio::task::JoinSet::new();
    for door in doors {
        tasks.spawn(accept(door, daemon.clone(), places.clone()));
    }
    tasks.join_all().await;
}

async fn accept(door: Door, daemon: Arc<Daemon>, places: Arc<Places>) {
    let (backend, secure) = (door.backend, door.secure);
    loop {
        let (stream, from) = match door.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection of an instance was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = places.clone().take(from.ip()) else {
            tracing::debug!(%from, "too many connections");
            continue;
        };
        let daemon = daemon.clone();
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = admit(stream, from.ip(), backend, secure, &daemon).await {
                tracing::debug!(
                    ?backend,
                    error = format!("{error:#}"),
                    "a connection ended early"
                );
            }
        });
    }
}

async fn admit(
    stream: TcpStream,
    from: IpAddr,
    backend: Backend,
    secure: bool,
    daemon: &Arc<Daemon>,
) -> anyhow::Result<()> {
    let origin = daemon.datapath.origin(from).await;
    let origin = origin.filter(|origin| origin.backend == backend);
    let origin = origin.context("the data plane knows nobody of this address")?;
    stream.set_nodelay(true)?;
    if backend == Backend::Dns {
        return dns::serve(stream, origin, daemon).await;
    }
    let (Backend::Aws(service), Some(region)) = (backend, origin.region) else {
        return metadata::serve(stream, origin, daemon).await;
    };
    let arrival = Arrival {
        origin,
        service,
        region,
        secure,
    };
    if !secure {
        return port::connection(stream, Entrance::Service(arrival), None, daemon.clone()).await;
    }
    let config = daemon.reception.authority.endpoint(service, region)?;
    let handshake = TlsAcceptor::from(config).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await??;
    port::connection(stream, Entrance::Service(arrival), None, daemon.clone()).await
}

/// Who has how many connections.
#[derive(Default)]
struct Places(Mutex<HashMap<IpAddr, usize>>);

/// A connection's place; free again when it is dropped.
struct Place {
    places: Arc<Places>,
    source: IpAddr,
}

impl Places {
    fn take(self: Arc<Self>, source: IpAddr) -> Option<Place> {
        {
            let mut taken = self.lock();
            let own = taken.get(&source).copied().unwrap_or_default();
            let all: usize = taken.values().sum();
            if own >= CONNECTIONS_PER_SOURCE_MAX || all >= CONNECTIONS_MAX {
                return None;
            }
            taken.insert(source, own + 1);
        }
        Some(Place {
            places: self,
            source,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(own) = taken.get_mut(&self.source) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places() {
        let places = Arc::new(Places::default());
        let source = |n: u8| IpAddr::from([100, 64, 0, n]);
        let taken: Vec<Place> = (0..CONNECTIONS_PER_SOURCE_MAX)
            .map(|_| places.clone().take(source(1)).unwrap())
            .collect();
        assert!(places.clone().take(source(1)).is_none());
        assert!(places.clone().take(source(2)).is_some());
        drop(taken);
        assert!(places.lock().is_empty());
        let many: Vec<Place> = (0..=255)
            .flat_map(|n| std::iter::repeat_n(n, CONNECTIONS_PER_SOURCE_MAX))
            .map_while(|n| places.clone().take(source(n)))
            .collect();
        assert_eq!(many.len(), CONNECTIONS_MAX);
    }

    #[test]
    fn the_interface_has_an_address_for_each_backend() {
        let interface = interface();
        assert_eq!(interface.addresses.len(), 2 * Backend::all().count());
        let mut addresses: Vec<IpAddr> = interface.addresses.iter().map(|a| a.address).collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), interface.addresses.len());
    }
}
