//! A small blocking HTTP/1.1 client: one connection, kept alive.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Endpoint;
use super::stream::Stream;

/// A connection to one server, made when it is first needed.
#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: Endpoint,
    stream: Option<BufReader<Stream>>,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// The body, whole.
    pub(crate) body: Vec<u8>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longer than any call waits on purpose.
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// No answer to one of our calls is longer.
const BODY_MAX: u64 = 256 << 20;
const LINE_MAX: u64 = 64 << 10;

impl Connection {
    /// To a server.
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            stream: None,
        }
    }

    /// The server.
    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Connects if there is no connection.
    pub(crate) fn connect(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let (host, port) = self.endpoint.host_and_port();
            let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
            let mut result = Err(io::Error::other("the name has no address"));
            for address in addresses {
                result = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT);
                if result.is_ok() {
                    break;
                }
            }
            let stream = result?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(READ_TIMEOUT))?;
            let stream = if self.endpoint.tls {
                Stream::over_tls(host, stream)?
            } else {
                Stream::Plain(stream)
            };
            self.stream = Some(BufReader::new(stream));
        }
        Ok(())
    }

    /// Sends a request and reads its answer. A kept connection that the server has closed is made anew.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        let message = message(method, target, headers, body);
        let was_kept = self.stream.is_some();
        match self.exchange(&message) {
            Err(error) if was_kept && is_closed(&error) => self.exchange(&message),
            result => result,
        }
    }

    /// Sends a request on a connection of its own, and reads the head of its answer; the body is left to be read.
    pub(crate) fn open(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<(Head, BufReader<Stream>)> {
        self.stream = None;
        self.connect()?;
        let Some(mut stream) = self.stream.take() else {
            return Err(io::Error::other("not connected"));
        };
        stream
            .get_mut()
            .write_all(&message(method, target, headers, body))?;
        stream.get_mut().flush()?;
        let head = Head::read(&mut stream)?;
        // Nobody knows when the next part comes.
        stream.get_ref().tcp().set_read_timeout(None)?;
        Ok((head, stream))
    }

    fn exchange(&mut self, message: &[u8]) -> io::Result<Reply> {
        self.connect()?;
        let Some(mut stream) = self.stream.take() else {
            return Err(io::Error::other("not connected"));
        };
        stream.get_mut().write_all(message)?;
        stream.get_mut().flush()?;
        let (reply, keep) = read_reply(&mut stream)?;
        if keep {
            self.stream = Some(stream);
        }
        Ok(reply)
    }
}

fn message(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut message = head.into_bytes();
    message.extend_from_slice(body);
    message
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// What an answer begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// Names in small letters, and values.
    headers: Vec<(String, String)>,
}

impl Head {
    /// Reads it, and skips interim answers before it.
    fn read(stream: &mut impl BufRead) -> io::Result<Self> {
        let status = loop {
            let line = read_line(stream)?;
            let status = line
                .split(' ')
                .nth(1)
                .and_then(|word| word.parse::<u16>().ok());
            let status = status.filter(|_| line.starts_with("HTTP/1."));
            let status = status.ok_or_else(|| invalid("not an HTTP answer"))?;
            if status >= 200 {
                break status;
            }
            while !read_line(stream)?.is_empty() {}
        };
        let mut headers = Vec::new();
        loop {
            let line = read_line(stream)?;
            let Some((name, value)) = line.split_once(':') else {
                return Ok(Self { status, headers });
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.header(name)
            .is_some_and(|own| own.eq_ignore_ascii_case(value))
    }

    /// Reads the body that belongs to it; also says whether the connection can be used again.
    pub(crate) fn read_body(&self, stream: &mut impl BufRead) -> io::Result<(Vec<u8>, bool)> {
        let length = self.header("content-length").map(str::parse);
        let length = length
            .transpose()
            .map_err(|_| invalid("a wrong content-length"))?;
        let mut body = Vec::new();
        let mut keep = !self.is("connection", "close");
        match (self.is("transfer-encoding", "chunked"), length) {
            _ if self.status == 204 || self.status == 304 => {}
            (true, _) => {
                let chunks = Chunks::new(stream);
                if chunks.take(BODY_MAX + 1).read_to_end(&mut body)? as u64 > BODY_MAX {
                    return Err(invalid("too long an answer"));
                }
            }
            (false, Some(length)) => read_exactly(stream, length, &mut body)?,
            (false, None) => {
                stream.take(BODY_MAX).read_to_end(&mut body)?;
                keep = false;
            }
        }
        Ok((body, keep))
    }
}

/// Reads an answer; also says whether the connection can be used again.
pub(crate) fn read_reply(stream: &mut impl BufRead) -> io::Result<(Reply, bool)> {
    let head = Head::read(stream)?;
    let (body, keep) = head.read_body(stream)?;
    let status = head.status;
    Ok((Reply { status, body }, keep))
}

/// What comes in chunks (RFC 9112, section 7.1), as it comes.
pub(crate) struct Chunks<R> {
    stream: R,
    /// What is left of the chunk.
    left: u64,
    begun: bool,
    over: bool,
}

impl<R: BufRead> Chunks<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self {
            stream,
            left: 0,
            begun: false,
            over: false,
        }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let stream = &mut self.stream;
        if self.begun && !read_line(stream)?.is_empty() {
            return Err(invalid("a wrong chunk"));
        }
        self.begun = true;
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        self.left = u64::from_str_radix(digits, 16).map_err(|_| invalid("a wrong chunk"))?;
        if self.left == 0 {
            while !read_line(stream)?.is_empty() {}
            self.over = true;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.over {
            self.next_chunk()?;
        }
        if self.over || into.is_empty() {
            return Ok(0);
        }
        let count = self.stream.by_ref().take(self.left).read(into)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn read_exactly(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if body.len() as u64 + length > BODY_MAX {
        return Err(invalid("too long an answer"));
    }
    if stream.take(length).read_to_end(body)? as u64 == length {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(LINE_MAX).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| invalid("a header that is not text"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the server sent {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<(u16, String, bool)> {
        let (reply, keep) = read_reply(&mut text.as_bytes())?;
        Ok((reply.status, String::from_utf8(reply.body).unwrap(), keep))
    }

    #[test]
    fn bodies_end_by_length_chunks_or_close() {
        let length = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP").unwrap();
        assert_eq!(length, (200, "ok".to_owned(), true));
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\na;x=y\r\n, and more\r\n0\r\n\r\n";
        assert_eq!(
            read(chunks).unwrap(),
            (200, "ok, and more".to_owned(), true)
        );
        let close = read("HTTP/1.0 404 Not Found\r\n\r\ngone").unwrap();
        assert_eq!(close, (404, "gone".to_owned(), false));
        assert_eq!(
            read("HTTP/1.1 204 No Content\r\n\r\n").unwrap(),
            (204, String::new(), true)
        );
    }

    #[test]
    fn interim_answers_are_skipped() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(read(text).unwrap().0, 201);
    }

    #[test]
    fn broken_answers_are_errors() {
        for text in [
            "",
            "SSH-2.0-x\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
