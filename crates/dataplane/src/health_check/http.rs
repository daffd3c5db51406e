//! Health checks by HTTP: one request over one TCP connection, of whose answer the status code counts (User Guide for
//! Network Load Balancers, "Health check settings").

use std::net::Ipv4Addr;

use model::HttpHealthCheck;
use packet::tcp;

/// `HTTP/1.1 200`: as much of an answer as counts.
const STATUS_LEN: usize = 12;

/// What is asked by HTTP, and which answers are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpRequest {
    check: HttpHealthCheck,
    bytes: Vec<u8>,
}

impl HttpRequest {
    /// The host is the node's address and the port of the listener.
    pub(crate) fn new(check: &HttpHealthCheck, (address, port): (Ipv4Addr, u16)) -> Self {
        let path = &check.path;
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\
             User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n"
        );
        Self {
            check: check.clone(),
            bytes: text.into_bytes(),
        }
    }

    /// Whether a target that answers so works.
    pub(super) fn is_good(&self, code: u16) -> bool {
        self.check.codes.contains(code)
    }
}

/// A TCP segment of a target's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Got<'a> {
    pub(super) flags: u8,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

/// What a node says to a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Says {
    pub(super) flags: u8,
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) payload: Vec<u8>,
}

/// What a target has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// With this status code.
    Code(u16),
    /// With what is no answer, or by ending the connection.
    Malformed,
}

/// The connection of one check, as the node has it. Segments that come out of order are asked for again.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    request: Vec<u8>,
    /// What the target sends next; absent before it has accepted.
    next: Option<u32>,
    head: Vec<u8>,
    answered: Option<Answered>,
    /// Whether the node has closed its side.
    closed: bool,
    /// Whether nothing more is to come.
    pub(super) over: bool,
}

impl Exchange {
    pub(super) fn new(request: &HttpRequest) -> Self {
        Self {
            request: request.bytes.clone(),
            next: None,
            head: Vec::new(),
            answered: None,
            closed: false,
            over: false,
        }
    }

    /// Whether what the target has answered is known.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Takes a segment. Gives what the node says to it, and once what the target has answered.
    pub(super) fn take(&mut self, got: Got<'_>) -> (Option<Says>, Option<Answered>) {
        let before = self.answered;
        let says = self.step(got);
        let answered = self.answered.filter(|_| before.is_none());
        (says, answered)
    }

    /// Takes the connection back, if the target believes in one.
    pub(super) fn reset(&self) -> Option<Says> {
        let open = self.next.is_some() && !self.closed && !self.over;
        open.then(|| self.says(tcp::RST, Vec::new()))
    }

    fn step(&mut self, got: Got<'_>) -> Option<Says> {
        if got.flags & tcp::RST != 0 {
            self.over = true;
            self.answered.get_or_insert(Answered::Malformed);
            return None;
        }
        let Some(next) = self.next else {
            if got.flags & (tcp::SYN | tcp::ACK) != tcp::SYN | tcp::ACK {
                return None;
            }
            self.next = Some(got.sequence.wrapping_add(1));
            let mut says = self.says(tcp::PSH | tcp::ACK, self.request.clone());
            says.sequence = 1;
            return Some(says);
        };
        let ends = got.flags & tcp::FIN != 0;
        if self.closed {
            self.over = true;
            return None;
        }
        if got.payload.is_empty() && !ends {
            return None;
        }
        if got.sequence != next {
            return Some(self.says(tcp::ACK, Vec::new()));
        }
        let len = got.payload.len() as u32 + u32::from(ends);
        self.next = Some(next.wrapping_add(len));
        let room = STATUS_LEN.saturating_sub(self.head.len());
        self.head.extend(got.payload.iter().take(room));
        if self.answered.is_none() && (ends || self.head.len() == STATUS_LEN) {
            self.answered = Some(answered(&self.head));
        }
        self.closed = ends;
        let flags = if ends { tcp::FIN | tcp::ACK } else { tcp::ACK };
        Some(self.says(flags, Vec::new()))
    }

    fn says(&self, flags: u8, payload: Vec<u8>) -> Says {
        Says {
            flags,
            sequence: 1 + self.request.len() as u32,
            acknowledgement: self.next.unwrap_or_default(),
            payload,
        }
    }
}

/// What an answer begins with (RFC 9112, "Status Line").
fn answered(head: &[u8]) -> Answered {
    let code = |head: &[u8]| {
        let (version, code) = head.strip_prefix(b"HTTP/")?.split_at_checked(4)?;
        let [b'0'..=b'9', b'.', b'0'..=b'9', b' '] = version else {
            return None;
        };
        let digits = code.iter().all(u8::is_ascii_digit) && code.len() == 3;
        std::str::from_utf8(code)
            .ok()?
            .parse()
            .ok()
            .filter(|_| digits)
    };
    code(head).map_or(Answered::Malformed, Answered::Code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::HttpCodes;

    fn exchange() -> Exchange {
        let check = HttpHealthCheck {
            path: "/ready?full".to_owned(),
            codes: HttpCodes::try_from("200-299".to_owned()).unwrap(),
        };
        Exchange::new(&HttpRequest::new(&check, ([10, 0, 0, 4].into(), 80)))
    }

    fn got(flags: u8, sequence: u32, payload: &[u8]) -> Got<'_> {
        Got {
            flags,
            sequence,
            payload,
        }
    }

    const ACCEPTS: u8 = tcp::SYN | tcp::ACK;

    #[test]
    fn a_request_is_sent_and_the_status_line_read_over_several_segments() {
        let mut exchange = exchange();
        let (says, answered) = exchange.take(got(ACCEPTS, u32::MAX, b""));
        let says = says.unwrap();
        assert_eq!((says.sequence, says.acknowledgement), (1, 0));
        assert_eq!(says.flags, tcp::PSH | tcp::ACK);
        assert_eq!(answered, None);
        let text = String::from_utf8(says.payload.clone()).unwrap();
        assert!(
            text.starts_with("GET /ready?full HTTP/1.1\r\nHost: 10.0.0.4:80\r\n"),
            "{text}"
        );
        let after = 1 + says.payload.len() as u32;
        // What comes too early is asked for again.
        let (says, answered) = exchange.take(got(tcp::ACK, 9, b"200"));
        let says = says.unwrap();
        assert_eq!((says.sequence, says.acknowledgement), (after, 0));
        assert_eq!(answered, None);
        assert_eq!(exchange.take(got(tcp::ACK, 0, b"")), (None, None));
        assert_eq!(exchange.take(got(tcp::ACK, 0, b"HTTP/1.1 ")).1, None);
        let (says, answered) = exchange.take(got(tcp::ACK, 9, b"204 No Content\r\n\r\n"));
        assert_eq!(says.unwrap().acknowledgement, 27);
        assert_eq!(answered, Some(Answered::Code(204)));
        // The target closes, the node too.
        let (says, answered) = exchange.take(got(tcp::FIN | tcp::ACK, 27, b""));
        let says = says.unwrap();
        assert_eq!(
            (says.flags, says.acknowledgement),
            (tcp::FIN | tcp::ACK, 28)
        );
        assert_eq!((answered, exchange.over), (None, false));
        assert_eq!(exchange.reset(), None);
        assert_eq!(exchange.take(got(tcp::ACK, 28, b"")), (None, None));
        assert!(exchange.over);
    }

    #[test]
    fn what_is_no_answer_is_malformed() {
        for (flags, payload) in [
            (tcp::ACK, &b"SSH-2.0-OpenSSH_9"[..]),
            (tcp::ACK, b"HTTP/1.1 2x0 OK"),
            (tcp::ACK, b"HTTP/1.1-200 OK"),
            (tcp::FIN | tcp::ACK, b"HTTP/1.1 20"),
            (tcp::FIN | tcp::ACK, b""),
            (tcp::RST | tcp::ACK, b""),
        ] {
            let mut exchange = exchange();
            exchange.take(got(ACCEPTS, 41, b""));
            let (_, answered) = exchange.take(got(flags, 42, payload));
            assert_eq!(answered, Some(Answered::Malformed), "{payload:?}");
        }
        let mut refused = exchange();
        assert_eq!(
            refused.take(got(tcp::RST | tcp::ACK, 0, b"")),
            (None, Some(Answered::Malformed))
        );
        assert!(refused.over && refused.reset().is_none());
    }

    #[test]
    fn a_connection_that_stays_open_is_taken_back() {
        let mut exchange = exchange();
        assert_eq!(exchange.reset(), None);
        exchange.take(got(ACCEPTS, 41, b""));
        let (says, answered) = exchange.take(got(tcp::ACK, 42, b"HTTP/1.1 500 Oh\r\n"));
        assert_eq!(answered, Some(Answered::Code(500)));
        let reset = exchange.reset().unwrap();
        assert_eq!(
            (reset.flags, reset.sequence),
            (tcp::RST, says.unwrap().sequence)
        );
    }
}
