//! Asks name servers of the real internet for what the Amazon DNS server does not know, with an uplink only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dataplane::Inquiry;
use model::Entropy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::clock::SystemEntropy;
use crate::daemon::Daemon;

/// Questions that are asked at the same time; others wait for their turn.
const ASKED_AT_ONCE: usize = 256;
static TURNS: Semaphore = Semaphore::const_new(ASKED_AT_ONCE);
/// How long one server may take. Clients try again after five seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// As many servers as the machine's own programs ask.
const SERVERS_MAX: usize = 3;
const PORT: u16 = 53;
/// The longest message over UDP that is waited for.
const LEN_MAX: usize = 4096;
const TRUNCATED: u8 = 2;
const RESPONSE: u8 = 0x80;

/// Answers the data plane's inquiries for as long as there may be any: by the configured server, or by this machine's.
pub(crate) async fn run(daemon: Arc<Daemon>, mut inquiries: mpsc::Receiver<Inquiry>) {
    while let Some(inquiry) = inquiries.recv().await {
        let Ok(turn) = TURNS.acquire().await else {
            return;
        };
        let daemon = daemon.clone();
        tokio::spawn(async move {
            let response = ask(&servers(&daemon), &inquiry.query).await;
            drop(turn);
            if let Err(error) = daemon.datapath.answer_inquiry(inquiry.id, response) {
                tracing::debug!(%error, "nobody waits for the answer of a name server any more");
            }
        });
    }
}

/// What the real internet says to a query; nothing without an uplink.
pub(crate) async fn ask_outside(daemon: &Daemon, query: &[u8]) -> Option<Vec<u8>> {
    if !daemon.config.uplink {
        return None;
    }
    let _turn = TURNS.acquire().await.ok()?;
    ask(&servers(daemon), query).await
}

/// The configured server, or those that this machine asks.
fn servers(daemon: &Daemon) -> Vec<SocketAddr> {
    match daemon.config.resolver {
        Some(server) => vec![server],
        None => servers_of_this_machine(),
    }
}

/// Read each time: the machine may have moved to another network.
fn servers_of_this_machine() -> Vec<SocketAddr> {
    let path = "/etc/resolv.conf";
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| {
        tracing::warn!(path, %error, "the name servers of this machine are unknown");
        String::new()
    });
    name_servers(&text)
}

/// The servers that a `resolv.conf` names; without any it is this machine itself.
fn name_servers(resolv_conf: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let is_server = words.next() == Some("nameserver");
        let address: IpAddr = words.next().filter(|_| is_server)?.parse().ok()?;
        Some(SocketAddr::new(address, PORT))
    };
    let mut servers: Vec<_> = resolv_conf.lines().filter_map(server).collect();
    servers.truncate(SERVERS_MAX);
    if servers.is_empty() {
        servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT));
    }
    servers
}

/// The first answer that one of the servers gives, each asked in its turn.
async fn ask(servers: &[SocketAddr], query: &[u8]) -> Option<Vec<u8>> {
    for server in servers {
        let mut query = query.to_vec();
        let id = SystemEntropy.next_u128().to_ne_bytes();
        query.get_mut(..2)?.copy_from_slice(&id[..2]);
        match timeout(PATIENCE, exchange(*server, &query)).await {
            Ok(Ok(response)) => return Some(response),
            Ok(Err(error)) => tracing::debug!(%server, %error, "a name server cannot be asked"),
            Err(_) => tracing::debug!(%server, "a name server does not answer"),
        }
    }
    None
}

/// Over UDP, and over TCP if the answer is too long for that.
async fn exchange(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let own = match server.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(own, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut response = vec![0; LEN_MAX];
    loop {
        let len = socket.recv(&mut response).await?;
        let response = &response[..len];
        if !is_response(response, query) {
            continue;
        }
        let truncated = response.get(2).is_some_and(|flags| flags & TRUNCATED != 0);
        if truncated && let Ok(whole) = exchange_over_tcp(server, query).await {
            return Ok(whole);
        }
        return Ok(response.to_vec());
    }
}

async fn exchange_over_tcp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let len = u16::try_from(query.len()).map_err(std::io::Error::other)?;
    stream
        .write_all(&[&len.to_be_bytes(), query].concat())
        .await?;
    let mut response = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut response).await?;
    if !is_response(&response, query) {
        return Err(std::io::Error::other("an answer to another question"));
    }
    Ok(response)
}

/// Whether the id is the query's; the data plane looks at the question.
fn is_response(response: &[u8], query: &[u8]) -> bool {
    response.len() >= 12 && response[..2] == query[..2] && response[2] & RESPONSE != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_servers_are_those_of_resolv_conf() {
        let servers = name_servers(
            "# nameserver 192.0.2.9\nsearch example.com\nnameserver 192.0.2.1\n\
             nameserver fe80::1%eth0\nnameserver\t2001:db8::1 \noptions edns0\n",
        );
        let texts: Vec<String> = servers.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["192.0.2.1:53", "[2001:db8::1]:53"]);
        assert_eq!(name_servers(""), ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(name_servers(&"nameserver 192.0.2.1\n".repeat(9)).len(), 3);
    }

    /// A query of twelve bytes, and its answer: the same with the response bit, and more.
    const QUERY: [u8; 12] = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    /// A server that gives each datagram's answers, whatever `make` makes of it.
    async fn server(make: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut bytes = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut bytes).await {
                for answer in make(&bytes[..len]) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        address
    }

    fn response(query: &[u8], flags: u8, tail: &[u8]) -> Vec<u8> {
        let mut response = query.to_vec();
        response[2] |= RESPONSE | flags;
        response.extend(tail);
        response
    }

    #[tokio::test]
    async fn the_answer_to_the_question_is_waited_for() {
        let server = server(|query| {
            let mut forged = response(query, 0, b"forged");
            forged[0] ^= 1;
            let echo = query.to_vec();
            vec![forged, echo, vec![1], response(query, 0, b"good")]
        })
        .await;
        let answer = ask(&[server], &QUERY).await.unwrap();
        assert_eq!(&answer[12..], b"good");
    }

    #[tokio::test]
    async fn the_next_server_is_asked_when_one_refuses() {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let nobody = closed.local_addr().unwrap();
        drop(closed);
        let server = server(|query| vec![response(query, 0, b"second")]).await;
        let answer = ask(&[nobody, server], &QUERY).await.unwrap();
        assert_eq!(&answer[12..], b"second");
        assert_eq!(ask(&[nobody], &QUERY).await, None);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let server = server(|_| Vec::new()).await;
        tokio::time::pause();
        assert_eq!(ask(&[server], &QUERY).await, None);
    }

    #[tokio::test]
    async fn a_truncated_answer_is_asked_for_over_tcp() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut bytes = [0; 512];
            let (len, from) = socket.recv_from(&mut bytes).await.unwrap();
            let short = response(&bytes[..len], TRUNCATED, b"short");
            socket.send_to(&short, from).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let whole = response(&query, 0, &[7; 5000]);
            stream.write_u16(whole.len() as u16).await.unwrap();
            stream.write_all(&whole).await.unwrap();
        });
        let answer = ask(&[address], &QUERY).await.unwrap();
        assert_eq!(answer.len(), 5012);
    }
}
