//! The Amazon DNS server over TCP (RFC 7766). What does not fit into a datagram is asked for again this way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use dataplane::{Origin, Resolved, ServiceWay};
use model::NetworkInterfaceId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::daemon::Daemon;
use crate::resolver;

/// A client may think so long about its next query, and take so long to write it or to read an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nothing shorter is a DNS message.
const HEADER_LEN: usize = 12;

/// Serves a connection of an interface, one query after the other.
///
/// # Errors
///
/// If the connection ends within a query, or what comes is none.
pub(crate) async fn serve(
    mut stream: TcpStream,
    origin: Origin,
    daemon: &Arc<Daemon>,
) -> anyhow::Result<()> {
    let ServiceWay::Link(interface) = origin.way else {
        anyhow::bail!("the DNS server is asked on the link only");
    };
    while let Some(query) = timeout(PATIENCE, read(&mut stream)).await?? {
        let answer = answer(daemon, interface, &query).await;
        let answer = answer.context("this is no query")?;
        let len = u16::try_from(answer.len())?.to_be_bytes();
        // In one segment, if it fits.
        let message = [&len, answer.as_slice()].concat();
        timeout(PATIENCE, stream.write_all(&message)).await??;
    }
    Ok(())
}

/// The next message; `None` where the other side has ended before one.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let len = match stream.read_u16().await {
        Ok(len) => usize::from(len),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if len < HEADER_LEN {
        return Err(io::Error::other("too short for a DNS message"));
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

async fn answer(daemon: &Daemon, interface: NetworkInterfaceId, query: &[u8]) -> Option<Vec<u8>> {
    let snapshot = daemon.datapath.snapshot().await?;
    let mut resolved = dataplane::resolve(&snapshot, interface, query)?;
    loop {
        let pending = match resolved {
            Resolved::Message(message) => return Some(message),
            Resolved::Ask(pending) => pending,
        };
        resolved = match resolver::ask_outside(daemon, pending.asked()).await {
            Some(response) => pending.receive(&response)?,
            None => return pending.fail(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_told_apart_by_their_length() {
        let mut bytes = vec![0, 12];
        bytes.extend([7; 12]);
        bytes.extend([0, 13]);
        bytes.extend([8; 13]);
        let mut stream = bytes.as_slice();
        assert_eq!(read(&mut stream).await.unwrap(), Some(vec![7; 12]));
        assert_eq!(read(&mut stream).await.unwrap(), Some(vec![8; 13]));
        assert_eq!(read(&mut stream).await.unwrap(), None);
        for broken in [&[0, 11, 1, 1, 1][..], &[0, 13, 1], &[0, 0]] {
            assert!(read(&mut &*broken).await.is_err(), "{broken:?}");
        }
    }
}
