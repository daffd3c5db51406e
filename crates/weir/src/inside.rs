//! Small programs that the demo runs inside instances, so that it needs no other program.
//!
//! Each prints one line of JSON that says what happened.

use std::io::{self, Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket,
};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketType, bind, connect as connect_socket, ipproto, socket};
use serde::{Deserialize, Serialize};

use crate::client::{Client, Endpoint, Refused};
use crate::output;

/// What became of pings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pings {
    /// Echo requests sent.
    pub(crate) sent: u16,
    /// Echo replies received.
    pub(crate) received: u16,
}

/// What became of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Connected {
    /// The page, if one was asked for and came.
    pub(crate) body: Option<String>,
    /// Why nothing came.
    pub(crate) error: Option<String>,
}

/// Shorter than the second after which TCP tries again, so that one packet is sent.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(700);
const HTTP: u16 = 80;
/// The kernel chooses.
const ANY_PORT: u16 = 0;
const READ_TIMEOUT: Duration = Duration::from_secs(3);
const PING_INTERVAL: Duration = Duration::from_millis(100);
const PING_PATIENCE: Duration = Duration::from_millis(700);
/// What `ping` sends: 84 bytes with the headers of IPv4 and ICMP.
const PING_DATA: usize = 56;

/// Serves one text to everybody, for ever.
pub(crate) fn serve_http(port: u16, text: &str) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .with_context(|| format!("listen on port {port}"))?;
    output::line(&format!("listening on port {port}"))?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    for stream in listener.incoming() {
        // A client that goes away early is no reason to end.
        let _ = stream.and_then(|stream| serve_one(stream, &answer));
    }
    Ok(ExitCode::SUCCESS)
}

fn serve_one(mut stream: TcpStream, answer: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let (mut head, mut bytes) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 16 << 10 {
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            length => head.extend_from_slice(&bytes[..length]),
        }
    }
    stream.write_all(answer.as_bytes())
}

/// Sends echo requests and counts the replies, without privileges.
pub(crate) fn ping(address: IpAddr, count: u16) -> anyhow::Result<ExitCode> {
    let (family, protocol, echo_request) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128),
    };
    let socket =
        socket(family, SocketType::DGRAM, Some(protocol)).context("open a socket for ICMP")?;
    let socket = UdpSocket::from(socket);
    socket.connect(SocketAddr::new(address, 0))?;
    let mut pings = Pings::default();
    for sequence in 1..=count {
        // The kernel fills in the checksum and the identifier.
        let mut message = vec![echo_request, 0, 0, 0, 0, 0];
        message.extend(sequence.to_be_bytes());
        message.resize(8 + PING_DATA, b'w');
        let sent = Instant::now();
        socket.send(&message)?;
        pings.sent += 1;
        let patience = if sequence == count {
            PING_PATIENCE
        } else {
            PING_INTERVAL
        };
        pings.received += receive_until(&socket, sent + patience, count - pings.received)?;
        if sequence < count {
            std::thread::sleep((sent + PING_INTERVAL).saturating_duration_since(Instant::now()));
        }
    }
    output::line(&serde_json::to_string(&pings)?)?;
    Ok(ExitCode::from(u8::from(pings.received == 0)))
}

/// Counts replies until there are enough or it is too late; replies that are waited for come at once
/// or not at all.
fn receive_until(socket: &UdpSocket, deadline: Instant, wanted: u16) -> io::Result<u16> {
    let (mut received, mut bytes) = (0, [0; 2048]);
    while received < wanted {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut bytes) {
            Ok(_) => received += 1,
            Err(error) if is_timeout(&error) => break,
            // An ICMP error instead of a reply.
            Err(_) => {}
        }
    }
    Ok(received)
}

/// Gets a page from a port of our own.
pub(crate) fn get(server: SocketAddr, from_port: u16) -> anyhow::Result<ExitCode> {
    let page = connection(server, from_port).and_then(|mut stream| {
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        // In one piece, so that it is one packet.
        let head = format!("GET / HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.filter(|_| text.starts_with("HTTP/1.1 200 "))
            .ok_or_else(|| io::Error::other("not a page"))
    });
    report(page.map(Some))
}

/// Gets an object from S3 at a name, as the default account.
pub(crate) fn get_object(host: &str, bucket: &str, key: &str) -> anyhow::Result<ExitCode> {
    let servers = (host, HTTP).to_socket_addrs();
    // Whether anybody is there is soon known.
    let reached = servers.and_then(|mut servers| {
        let server = servers.next();
        let server = server.ok_or_else(|| io::Error::other("the name has no address"))?;
        connection(server, ANY_PORT).map(drop)
    });
    let object = reached.and_then(|()| {
        let endpoint = Endpoint::parse(&format!("http://{host}")).map_err(io::Error::other)?;
        let mut client = Client::new(&endpoint).map_err(io::Error::other)?;
        let got = client.get_object(bucket, key);
        let content = got.map_err(|error| match error.downcast_ref::<Refused>() {
            Some(refused) => io::Error::other(refused.code.clone()),
            None => io::Error::other(format!("{error:#}")),
        })?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    });
    report(object.map(Some))
}

/// Opens a connection from a port of our own, and closes it.
pub(crate) fn connect(server: SocketAddr, from_port: u16) -> anyhow::Result<ExitCode> {
    report(connection(server, from_port).map(|_| None))
}

fn report(result: io::Result<Option<String>>) -> anyhow::Result<ExitCode> {
    let connected = match result {
        Ok(body) => Connected { body, error: None },
        Err(error) if is_timeout(&error) => Connected {
            body: None,
            error: Some("timed out".to_owned()),
        },
        Err(error) => Connected {
            body: None,
            error: Some(error.to_string()),
        },
    };
    output::line(&serde_json::to_string(&connected)?)?;
    Ok(ExitCode::from(u8::from(connected.error.is_some())))
}

fn connection(server: SocketAddr, from_port: u16) -> io::Result<TcpStream> {
    let (family, any): (_, IpAddr) = match server {
        SocketAddr::V4(_) => (AddressFamily::INET, Ipv4Addr::UNSPECIFIED.into()),
        SocketAddr::V6(_) => (AddressFamily::INET6, Ipv6Addr::UNSPECIFIED.into()),
    };
    let socket = socket(family, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(any, from_port))?;
    // On Linux the time for sending is also the time for connecting (socket(7), SO_SNDTIMEO).
    set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_TIMEOUT))?;
    connect_socket(&socket, &server)?;
    Ok(TcpStream::from(socket))
}

fn is_timeout(error: &io::Error) -> bool {
    // What a connection that takes too long ends with; there is no stable ErrorKind for it.
    let in_progress = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    in_progress
        || matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        )
}
