//! One real packet from a network namespace to another, and what became of it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketType, ipproto};

use crate::error::{During, Error, Result};
use crate::netns::NetworkNamespace;
use crate::sys::ignore_outgoing;

/// The kind of packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// A TCP connection to this port.
    Tcp(u16),
    /// A UDP datagram to this port. It is echoed if nobody else listens there.
    Udp(u16),
    /// An echo request.
    Ping,
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// Whether the packet was seen at its destination; known only if that has a namespace.
    pub arrived: bool,
    /// How long the answer took, if one came.
    pub round_trip: Option<Duration>,
    /// Whether the answer was that nobody listens.
    pub closed: bool,
}

/// Sends a real packet from `source` to an address, watches for it in `destination`, and waits for the answer.
///
/// # Errors
///
/// If no packet can be sent, for example because the source has no address of the family.
pub fn probe(
    source: &NetworkNamespace,
    destination: Option<&NetworkNamespace>,
    kind: ProbeKind,
    address: IpAddr,
    patience: Duration,
) -> Result<Probed> {
    std::thread::scope(|scope| {
        let (ready, started) = mpsc::channel();
        let (finish, finished) = mpsc::channel::<()>();
        let watcher = destination.map(|namespace| {
            scope.spawn(move || namespace.run(move || watch(kind, address, &ready, &finished)))
        });
        if watcher.is_some() && started.recv_timeout(patience).is_err() {
            return Err(Error::Invalid("the destination cannot be watched".into()));
        }
        let sent = source.run(move || send(kind, address, patience));
        drop(finish);
        let arrived = match watcher.map(std::thread::ScopedJoinHandle::join) {
            Some(Ok(watched)) => watched?,
            Some(Err(_)) | None => false,
        };
        let answer = sent?;
        Ok(Probed {
            arrived: arrived || answer.is_some(),
            round_trip: answer.map(|(time, _)| time),
            closed: answer.is_some_and(|(_, closed)| closed),
        })
    })
}

/// How long the answer took, and whether it was that nobody listens.
type Answer = Option<(Duration, bool)>;

fn send(kind: ProbeKind, address: IpAddr, patience: Duration) -> Result<Answer> {
    let begun = Instant::now();
    let outcome = match kind {
        ProbeKind::Tcp(port) => {
            TcpStream::connect_timeout(&SocketAddr::new(address, port), patience).map(drop)
        }
        ProbeKind::Udp(port) => send_datagram(SocketAddr::new(address, port), patience),
        ProbeKind::Ping => ping(address, patience),
    };
    match outcome {
        Ok(()) => Ok(Some((begun.elapsed(), false))),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            Ok(Some((begun.elapsed(), true)))
        }
        Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            Ok(None)
        }
        Err(error) => Err(error).during(|| format!("send to {address}")),
    }
}

fn send_datagram(to: SocketAddr, patience: Duration) -> io::Result<()> {
    let any: SocketAddr = if to.is_ipv4() {
        ([0; 4], 0).into()
    } else {
        ([0; 16], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(patience))?;
    socket.connect(to)?;
    socket.send(PAYLOAD)?;
    socket.recv(&mut [0; 512]).map(drop)
}

fn ping(address: IpAddr, patience: Duration) -> io::Result<()> {
    let (family, protocol, request, reply) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8, 0),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128, 129),
    };
    let socket = rustix::net::socket(family, SocketType::RAW, Some(protocol))?;
    rustix::net::connect(&socket, &SocketAddr::new(address, 0))?;
    let identifier = std::process::id().to_be_bytes();
    let mut message = vec![request, 0, 0, 0, identifier[2], identifier[3], 0, 1];
    message.extend_from_slice(PAYLOAD);
    if address.is_ipv4() {
        let sum = checksum(&message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
    }
    rustix::net::send(&socket, &message, SendFlags::empty())?;
    let deadline = Instant::now() + patience;
    let mut packet = [0; 2048];
    while readable(&socket, deadline)? {
        let (length, _) = rustix::net::recv(&socket, &mut packet, RecvFlags::empty())?;
        let received = packet.get(..length).unwrap_or_default();
        // IPv4 raw sockets hand out the IP header as well.
        let skip = if address.is_ipv4() {
            usize::from(received.first().unwrap_or(&0) & 0xf) * 4
        } else {
            0
        };
        let Some(answer) = received.get(skip..) else {
            continue;
        };
        if answer.first() == Some(&reply) && answer.get(4..8) == message.get(4..8) {
            return Ok(());
        }
    }
    Err(ErrorKind::TimedOut.into())
}

fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|c| u32::from(c[0]) << 8 | c.get(1).map_or(0, |&b| u32::from(b)));
    let sum = words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) as u16 + (folded >> 16) as u16)
}

/// Watches for the packet until the sender has finished, and echoes a datagram that nobody listens for.
fn watch(
    kind: ProbeKind,
    address: IpAddr,
    ready: &mpsc::Sender<()>,
    finished: &mpsc::Receiver<()>,
) -> Result<bool> {
    let tap = rustix::net::socket(
        AddressFamily::PACKET,
        SocketType::RAW,
        Some(Protocol::from_raw(EVERY_PROTOCOL)),
    )
    .during(|| "watch a network namespace".into())?;
    // Who probes an address of its own that is somewhere else has sent the packet, not got it.
    ignore_outgoing(tap.as_fd()).during(|| "watch a network namespace".into())?;
    let echo = match kind {
        ProbeKind::Udp(port) => {
            let any: SocketAddr = if address.is_ipv4() {
                ([0; 4], port).into()
            } else {
                ([0; 16], port).into()
            };
            // A port in use has a listener of its own, whose answer we wait for.
            UdpSocket::bind(any).ok()
        }
        ProbeKind::Tcp(_) | ProbeKind::Ping => None,
    };
    if let Some(echo) = &echo {
        echo.set_nonblocking(true)
            .during(|| "echo a datagram".into())?;
    }
    let _ = ready.send(());
    let mut frame = [0; 2048];
    let mut arrived = false;
    loop {
        let over = finished.try_recv() == Err(mpsc::TryRecvError::Disconnected);
        let deadline = Instant::now() + if over { Duration::ZERO } else { LOOK };
        while readable(&tap, deadline).during(|| "watch a network namespace".into())? {
            let (length, _) = rustix::net::recv(&tap, &mut frame, RecvFlags::empty())
                .during(|| "watch a network namespace".into())?;
            arrived |= frame
                .get(..length)
                .is_some_and(|frame| is_probe(frame, kind));
            if let Some(echo) = &echo
                && let Ok((length, from)) = echo.recv_from(&mut frame)
            {
                drop(echo.send_to(&frame[..length], from));
            }
        }
        if over {
            return Ok(arrived);
        }
    }
}

/// Whether a frame carries the probe; addresses may have been translated on the way.
fn is_probe(frame: &[u8], kind: ProbeKind) -> bool {
    let byte = |at: usize| frame.get(at).copied().unwrap_or(0);
    let (protocol, l4) = match (byte(12), byte(13)) {
        (0x08, 0x00) => (byte(23), 14 + usize::from(byte(14) & 0xf) * 4),
        (0x86, 0xdd) => (byte(20), 54),
        _ => return false,
    };
    let port = u16::from_be_bytes([byte(l4 + 2), byte(l4 + 3)]);
    match kind {
        ProbeKind::Tcp(wanted) => protocol == 6 && port == wanted && byte(l4 + 13) & 0x12 == 0x02,
        ProbeKind::Udp(wanted) => protocol == 17 && port == wanted,
        ProbeKind::Ping => matches!((protocol, byte(l4)), (1, 8) | (58, 128)),
    }
}

fn readable(socket: &OwnedFd, deadline: Instant) -> io::Result<bool> {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&left)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

const PAYLOAD: &[u8] = b"weir probe";
const LOOK: Duration = Duration::from_millis(20);
/// `ETH_P_ALL`, in network byte order as packet sockets want it.
const EVERY_PROTOCOL: rustix::net::RawProtocol =
    match rustix::net::RawProtocol::new((3_u16.to_be()) as u32) {
        Some(protocol) => protocol,
        None => panic!("not zero"),
    };
