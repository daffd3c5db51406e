//! Health checks by HTTP or HTTPS: one request over one TCP connection, of whose answer the status code counts (User Guide for
//! Network Load Balancers, "Health check settings").

use std::net::Ipv4Addr;

use model::HttpHealthCheck;
use packet::tcp;

use super::tls::{TlsAnswer, TlsStep};

/// `HTTP/1.1 200`: as much of an answer as counts.
const STATUS_LEN: usize = 12;
/// So much of what a target sends over TLS is looked at before there is an answer: certificates, above all.
const SEALED_MAX: usize = 64 << 10;

/// What is asked by HTTP or HTTPS, and which answers are good.
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
    /// By accepting a connection, which was all that was asked.
    Connection,
    /// With this status code.
    Code(u16),
    /// With what is no answer, or by ending the connection.
    Malformed,
}

/// What a segment of a target's, or a step of TLS, leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reaction {
    /// What the node says.
    pub(super) says: Option<Says>,
    /// What the target has answered, once.
    pub(super) answered: Option<Answered>,
    /// What whoever speaks TLS is to know.
    pub(super) tls: Option<TlsStep>,
}

/// The connection of one check, as the node has it. Segments that come out of order are asked for again.
#[derive(Debug)]
pub(super) struct Exchange {
    request: Vec<u8>,
    /// Whether TLS is between the connection and HTTP.
    pub(super) secure: bool,
    /// Bytes that the node has sent.
    sent: u32,
    /// Bytes that have gone to whoever speaks TLS.
    sealed: usize,
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
            secure: request.check.secure,
            sent: 0,
            sealed: 0,
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

    /// Takes a segment of the target's.
    pub(super) fn take(&mut self, got: Got<'_>) -> Reaction {
        let before = self.answered;
        let (says, tls) = self.step(got);
        Reaction {
            says,
            answered: self.answered.filter(|_| before.is_none()),
            tls,
        }
    }

    /// Takes what became of a step of TLS.
    pub(super) fn opened(&mut self, answer: TlsAnswer) -> Reaction {
        let before = self.answered;
        self.read(&answer.text, answer.is_over);
        let can_send = !self.closed && !self.over && !answer.to_target.is_empty();
        let says = can_send.then(|| self.says(tcp::PSH | tcp::ACK, answer.to_target));
        self.over |= self.closed && self.answered.is_some();
        Reaction {
            says,
            answered: self.answered.filter(|_| before.is_none()),
            tls: None,
        }
    }

    /// Takes the connection back, if the target believes in one.
    pub(super) fn reset(&mut self) -> Option<Says> {
        let open = self.next.is_some() && !self.closed && !self.over;
        open.then(|| self.says(tcp::RST, Vec::new()))
    }

    fn step(&mut self, got: Got<'_>) -> (Option<Says>, Option<TlsStep>) {
        let Some(next) = self.next else {
            return self.begin(got);
        };
        if got.flags & tcp::RST != 0 {
            return (None, self.end(got.payload));
        }
        if self.closed {
            self.over = self.answered.is_some();
            return (None, None);
        }
        let ends = got.flags & tcp::FIN != 0;
        if got.payload.is_empty() && !ends {
            return (None, None);
        }
        if got.sequence != next {
            return (Some(self.says(tcp::ACK, Vec::new())), None);
        }
        let len = got.payload.len() as u32 + u32::from(ends);
        self.next = Some(next.wrapping_add(len));
        let tls = match self.secure {
            true => self.seal(got.payload, ends),
            false => {
                self.read(got.payload, ends);
                None
            }
        };
        let flags = if ends { tcp::FIN | tcp::ACK } else { tcp::ACK };
        let says = self.says(flags, Vec::new());
        self.closed = ends;
        (Some(says), tls)
    }

    /// The target accepts, or does not.
    fn begin(&mut self, got: Got<'_>) -> (Option<Says>, Option<TlsStep>) {
        if got.flags & tcp::RST != 0 {
            self.over = true;
            self.answered = Some(Answered::Malformed);
            return (None, None);
        }
        if got.flags & (tcp::SYN | tcp::ACK) != tcp::SYN | tcp::ACK {
            return (None, None);
        }
        self.next = Some(got.sequence.wrapping_add(1));
        let request = std::mem::take(&mut self.request);
        match self.secure {
            true => (
                Some(self.says(tcp::ACK, Vec::new())),
                Some(TlsStep::Accepted { request }),
            ),
            false => (Some(self.says(tcp::PSH | tcp::ACK, request)), None),
        }
    }

    /// The target breaks the connection off. What it has said may still wait to be opened.
    fn end(&mut self, rest: &[u8]) -> Option<TlsStep> {
        let was_closed = std::mem::replace(&mut self.closed, true);
        if self.secure && self.answered.is_none() {
            return match was_closed {
                true => None,
                false => self.seal(rest, true),
            };
        }
        self.over = true;
        self.answered.get_or_insert(Answered::Malformed);
        None
    }

    /// Has bytes of the target's opened, as long as that can lead to an answer.
    fn seal(&mut self, bytes: &[u8], is_last: bool) -> Option<TlsStep> {
        if self.answered.is_some() {
            return None;
        }
        self.sealed += bytes.len();
        if self.sealed > SEALED_MAX {
            self.answered = Some(Answered::Malformed);
            return None;
        }
        Some(TlsStep::Received {
            bytes: bytes.to_vec(),
            is_last,
        })
    }

    /// Reads what the target answers, up to its status code.
    fn read(&mut self, text: &[u8], is_last: bool) {
        let room = STATUS_LEN.saturating_sub(self.head.len());
        self.head.extend(text.iter().take(room));
        if self.answered.is_none() && (is_last || self.head.len() == STATUS_LEN) {
            self.answered = Some(answered(&self.head));
        }
    }

    fn says(&mut self, flags: u8, payload: Vec<u8>) -> Says {
        let sequence = 1_u32.wrapping_add(self.sent);
        self.sent = self.sent.wrapping_add(payload.len() as u32);
        Says {
            flags,
            sequence,
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
        new(false)
    }

    fn new(secure: bool) -> Exchange {
        let check = HttpHealthCheck {
            secure,
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

    /// What the node says and knows after a segment of a check by HTTP.
    fn take(exchange: &mut Exchange, got: Got<'_>) -> (Option<Says>, Option<Answered>) {
        let reaction = exchange.take(got);
        assert_eq!(reaction.tls, None);
        (reaction.says, reaction.answered)
    }

    const ACCEPTS: u8 = tcp::SYN | tcp::ACK;

    #[test]
    fn a_request_is_sent_and_the_status_line_read_over_several_segments() {
        let mut exchange = exchange();
        let (says, answered) = take(&mut exchange, got(ACCEPTS, u32::MAX, b""));
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
        let (says, answered) = take(&mut exchange, got(tcp::ACK, 9, b"200"));
        let says = says.unwrap();
        assert_eq!((says.sequence, says.acknowledgement), (after, 0));
        assert_eq!(answered, None);
        assert_eq!(take(&mut exchange, got(tcp::ACK, 0, b"")), (None, None));
        assert_eq!(take(&mut exchange, got(tcp::ACK, 0, b"HTTP/1.1 ")).1, None);
        let (says, answered) = take(&mut exchange, got(tcp::ACK, 9, b"204 No Content\r\n\r\n"));
        assert_eq!(says.unwrap().acknowledgement, 27);
        assert_eq!(answered, Some(Answered::Code(204)));
        // The target closes, the node too.
        let (says, answered) = take(&mut exchange, got(tcp::FIN | tcp::ACK, 27, b""));
        let says = says.unwrap();
        assert_eq!(
            (says.flags, says.acknowledgement),
            (tcp::FIN | tcp::ACK, 28)
        );
        assert_eq!((answered, exchange.over), (None, false));
        assert_eq!(exchange.reset(), None);
        assert_eq!(take(&mut exchange, got(tcp::ACK, 28, b"")), (None, None));
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
            take(&mut exchange, got(ACCEPTS, 41, b""));
            let (_, answered) = take(&mut exchange, got(flags, 42, payload));
            assert_eq!(answered, Some(Answered::Malformed), "{payload:?}");
        }
        let mut refused = exchange();
        assert_eq!(
            take(&mut refused, got(tcp::RST | tcp::ACK, 0, b"")),
            (None, Some(Answered::Malformed))
        );
        assert!(refused.over && refused.reset().is_none());
    }

    #[test]
    fn a_connection_that_stays_open_is_taken_back() {
        let mut exchange = exchange();
        assert_eq!(exchange.reset(), None);
        take(&mut exchange, got(ACCEPTS, 41, b""));
        let (says, answered) = take(&mut exchange, got(tcp::ACK, 42, b"HTTP/1.1 500 Oh\r\n"));
        assert_eq!(answered, Some(Answered::Code(500)));
        let reset = exchange.reset().unwrap();
        assert_eq!(
            (reset.flags, reset.sequence),
            (tcp::RST, says.unwrap().sequence)
        );
    }

    fn answer(to_target: &[u8], text: &[u8], is_over: bool) -> TlsAnswer {
        TlsAnswer {
            to_target: to_target.to_vec(),
            text: text.to_vec(),
            is_over,
        }
    }

    fn received(bytes: &[u8], is_last: bool) -> Option<TlsStep> {
        Some(TlsStep::Received {
            bytes: bytes.to_vec(),
            is_last,
        })
    }

    /// A check by HTTPS whose target has accepted.
    fn accepted() -> Exchange {
        let mut exchange = new(true);
        let Reaction {
            says,
            answered,
            tls,
        } = exchange.take(got(ACCEPTS, 41, b""));
        let says = says.unwrap();
        assert_eq!(
            (says.flags, says.sequence, says.acknowledgement),
            (tcp::ACK, 1, 42)
        );
        let Some(TlsStep::Accepted { request }) = tls else {
            panic!("{tls:?}");
        };
        assert!(request.starts_with(b"GET /ready?full HTTP/1.1\r\n"));
        assert!(says.payload.is_empty() && answered.is_none());
        exchange
    }

    #[test]
    fn by_https_what_comes_and_goes_is_sealed() {
        let mut exchange = accepted();
        let says = exchange.opened(answer(b"hello", b"", false)).says.unwrap();
        assert_eq!((says.sequence, &says.payload[..]), (1, &b"hello"[..]));
        let reaction = exchange.take(got(tcp::ACK, 42, b"server hello"));
        assert_eq!(reaction.says.unwrap().sequence, 6);
        assert_eq!(reaction.tls, received(b"server hello", false));
        // Asked for again, and shown to nobody.
        let early = exchange.take(got(tcp::ACK, 99, b"later"));
        assert_eq!((early.says.unwrap().acknowledgement, early.tls), (54, None));
        let says = exchange.opened(answer(b"request", b"HTTP/1.1", false)).says;
        assert_eq!(says.unwrap().sequence, 6);
        // The last bytes come with the end: the answer is what is made of them.
        let last = exchange.take(got(tcp::FIN | tcp::ACK, 54, b"end"));
        let says = last.says.unwrap();
        assert_eq!((says.flags, says.sequence), (tcp::FIN | tcp::ACK, 13));
        assert_eq!((last.answered, last.tls), (None, received(b"end", true)));
        assert_eq!(exchange.take(got(tcp::ACK, 58, b"")), Reaction::default());
        assert!(!exchange.over, "the bytes are still being opened");
        let reaction = exchange.opened(answer(b"close notify", b" 200 OK\r\n", true));
        assert_eq!(reaction.says, None, "the node has ended its side");
        assert_eq!(reaction.answered, Some(Answered::Code(200)));
        assert!(exchange.over);
    }

    #[test]
    fn by_https_a_connection_broken_off_is_judged_by_what_was_said() {
        let mut exchange = accepted();
        exchange.take(got(tcp::ACK, 42, b"all of it"));
        let broken = exchange.take(got(tcp::RST, 51, b""));
        assert_eq!((broken.says, broken.answered), (None, None));
        assert_eq!(broken.tls, received(b"", true));
        assert_eq!(exchange.take(got(tcp::RST, 51, b"")), Reaction::default());
        let reaction = exchange.opened(answer(b"", b"HTTP/1.1 204 ", false));
        assert_eq!(reaction.answered, Some(Answered::Code(204)));
        assert!(exchange.over && exchange.reset().is_none());
        let mut exchange = accepted();
        exchange.take(got(tcp::RST, 42, b""));
        let reaction = exchange.opened(answer(b"", b"", true));
        assert_eq!(reaction.answered, Some(Answered::Malformed));
    }

    #[test]
    fn by_https_a_target_that_never_comes_to_the_point_is_not_listened_to() {
        let mut exchange = accepted();
        let (mut sequence, chunk) = (42, [22; 1024]);
        for _ in 0..SEALED_MAX / chunk.len() {
            let reaction = exchange.take(got(tcp::ACK, sequence, &chunk));
            assert!(reaction.tls.is_some() && reaction.answered.is_none());
            sequence += chunk.len() as u32;
        }
        let reaction = exchange.take(got(tcp::ACK, sequence, b"more"));
        assert_eq!(reaction.tls, None);
        assert_eq!(reaction.answered, Some(Answered::Malformed));
        let mut plain = accepted();
        plain.take(got(tcp::ACK, 42, b"HTTP/1.1 400 Bad Request\r\n"));
        let reaction = plain.opened(answer(b"alert", b"", true));
        assert_eq!(reaction.answered, Some(Answered::Malformed));
        assert_eq!(reaction.says.unwrap().payload, b"alert");
        assert!(!plain.over && plain.reset().is_some());
    }
}
