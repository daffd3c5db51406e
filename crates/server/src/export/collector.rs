//! An IPFIX collector elsewhere.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use flow_export::ipfix::{Exporter, MESSAGE_BYTES_MAX};
use flow_logs::FlowRecord;
use model::Timestamp;

use crate::clock;

/// Over UDP, templates are sent again after this.
const TEMPLATES_EVERY: Duration = Duration::from_secs(30);
/// Messages that are sent at once; a pause follows, so that a collector's buffer holds them.
const BURST: usize = 32;
const PAUSE: Duration = Duration::from_millis(2);
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Our one observation domain.
const DOMAIN: u32 = 1;

/// A collector and the session with it.
#[derive(Debug)]
pub(super) struct Collector {
    address: String,
    tcp: bool,
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    transport: Transport,
    exporter: Exporter,
    templates: Option<Timestamp>,
}

#[derive(Debug)]
enum Transport {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Collector {
    /// One that is sent datagrams.
    pub(super) fn udp(address: &str) -> Self {
        Self::new(address, false)
    }

    /// One to which a connection is held.
    pub(super) fn tcp(address: &str) -> Self {
        Self::new(address, true)
    }

    fn new(address: &str, tcp: bool) -> Self {
        Self {
            address: address.to_owned(),
            tcp,
            session: None,
        }
    }

    /// Sends records. After a failure the next call begins a new session.
    ///
    /// # Errors
    ///
    /// If the collector cannot be reached. What it got of the records is not known then.
    pub(super) fn send(&mut self, records: &[FlowRecord]) -> io::Result<()> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::begin(&self.address, self.tcp)?,
        };
        session.send(records)?;
        self.session = Some(session);
        Ok(())
    }
}

impl Session {
    fn begin(address: &str, tcp: bool) -> io::Result<Self> {
        let address = address
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::other("the collector's name has no address"))?;
        let (transport, bytes_max) = if tcp {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            (Transport::Tcp(stream), usize::from(u16::MAX))
        } else {
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            (Transport::Udp(socket), MESSAGE_BYTES_MAX)
        };
        Ok(Self {
            transport,
            exporter: Exporter::new(DOMAIN, bytes_max),
            templates: None,
        })
    }

    fn send(&mut self, records: &[FlowRecord]) -> io::Result<()> {
        let now = clock::now();
        let due = match (self.templates, &self.transport) {
            (None, _) => true,
            (Some(sent), Transport::Udp(_)) => now.since(sent) >= TEMPLATES_EVERY,
            (Some(_), Transport::Tcp(_)) => false,
        };
        if due {
            self.transport.send(&self.exporter.templates(now))?;
            self.templates = Some(now);
        }
        for burst in self.exporter.data(records, now).chunks(BURST) {
            for message in burst {
                self.transport.send(message)?;
            }
            if matches!(self.transport, Transport::Udp(_)) {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }
}

impl Transport {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(message).map(drop),
            Self::Tcp(stream) => stream.write_all(message),
        }
    }
}
