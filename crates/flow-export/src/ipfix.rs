//! IPFIX messages (RFC 7011): templates for IPv4 and IPv6, and the flows as data records.
//!
//! A record says in `forwardingStatus` (RFC 7270) what became of the flow: forwarded, dropped by an access list where a
//! security group or network ACL refused it, or dropped. `interfaceName` is the recording interface's id.

use std::net::IpAddr;

use dataplane::{Action, Direction};
use flow_logs::{Flow, FlowRecord};
use model::Timestamp;

/// The longest message that goes over UDP: below the MTU of every path (RFC 7011 §10.3.3 leaves it to the exporter).
pub const MESSAGE_BYTES_MAX: usize = 1400;

const VERSION: u16 = 10;
const HEADER_BYTES: usize = 16;
const SET_HEADER_BYTES: usize = 4;
const TEMPLATE_SET: u16 = 2;
const TEMPLATE_IPV4: u16 = 256;
const TEMPLATE_IPV6: u16 = 257;
/// The length of a field whose length stands before each value (RFC 7011 §7).
const VARIABLE: u16 = 65_535;

/// Information elements of IANA's registry with their lengths, in the order of data records.
const fn fields(ipv4: bool) -> [(u16, u16); 14] {
    let (source, destination, bytes) = if ipv4 { (8, 12, 4) } else { (27, 28, 16) };
    [
        (source, bytes),      // sourceIPv4Address, sourceIPv6Address
        (destination, bytes), // destinationIPv4Address, destinationIPv6Address
        (7, 2),               // sourceTransportPort
        (11, 2),              // destinationTransportPort
        (4, 1),               // protocolIdentifier
        (6, 2),               // tcpControlBits
        (61, 1),              // flowDirection
        (89, 1),              // forwardingStatus
        (233, 1),             // firewallEvent
        (1, 8),               // octetDeltaCount
        (2, 8),               // packetDeltaCount
        (152, 8),             // flowStartMilliseconds
        (153, 8),             // flowEndMilliseconds
        (82, VARIABLE),       // interfaceName
    ]
}

/// Makes the messages of one transport session.
#[derive(Clone, Debug)]
pub struct Exporter {
    domain: u32,
    bytes_max: usize,
    /// Data records sent so far, modulo 2^32.
    sequence: u32,
}

impl Exporter {
    /// One that has sent nothing yet, for an observation domain. Messages have at most `bytes_max` bytes.
    pub const fn new(domain: u32, bytes_max: usize) -> Self {
        Self {
            domain,
            bytes_max,
            sequence: 0,
        }
    }

    /// The message that describes the records. Over UDP it is sent again from time to time.
    pub fn templates(&self, now: Timestamp) -> Vec<u8> {
        let mut message = self.begin(now);
        let set = message.len();
        put_u16(&mut message, TEMPLATE_SET);
        put_u16(&mut message, 0);
        for (id, ipv4) in [(TEMPLATE_IPV4, true), (TEMPLATE_IPV6, false)] {
            let fields = fields(ipv4);
            put_u16(&mut message, id);
            put_u16(&mut message, fields.len() as u16);
            for (element, bytes) in fields {
                put_u16(&mut message, element);
                put_u16(&mut message, bytes);
            }
        }
        set_length(&mut message, set + 2, set);
        set_length(&mut message, 2, 0);
        message
    }

    /// The messages of records. Those that tell of no flow have none.
    pub fn data<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a FlowRecord>,
        now: Timestamp,
    ) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut open: Option<Message> = None;
        for record in records {
            let Some(flow) = record.flow() else { continue };
            let template = match flow.key.srcaddr {
                IpAddr::V4(_) => TEMPLATE_IPV4,
                IpAddr::V6(_) => TEMPLATE_IPV6,
            };
            let data = data_record(record, flow);
            let fits = |message: &Message| {
                let header = if message.template == template {
                    0
                } else {
                    SET_HEADER_BYTES
                };
                message.bytes.len() + header + data.len() <= self.bytes_max
            };
            if let Some(full) = open.take_if(|message| !fits(message)) {
                messages.push(self.end(full));
            }
            let message = open.get_or_insert_with(|| Message {
                bytes: self.begin(now),
                template: 0,
                set: 0,
                records: 0,
            });
            message.push(template, &data);
        }
        messages.extend(open.map(|message| self.end(message)));
        messages
    }

    fn begin(&self, now: Timestamp) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER_BYTES);
        put_u16(&mut message, VERSION);
        put_u16(&mut message, 0);
        // Seconds until 2106, as the header has them.
        put_u32(&mut message, now.as_secs() as u32);
        put_u32(&mut message, self.sequence);
        put_u32(&mut message, self.domain);
        message
    }

    fn end(&mut self, mut message: Message) -> Vec<u8> {
        message.close_set();
        set_length(&mut message.bytes, 2, 0);
        self.sequence = self.sequence.wrapping_add(message.records);
        message.bytes
    }
}

/// A message to which records are added.
struct Message {
    bytes: Vec<u8>,
    /// The template of the open set; 0 if there is none.
    template: u16,
    /// Where the open set begins.
    set: usize,
    records: u32,
}

impl Message {
    fn push(&mut self, template: u16, record: &[u8]) {
        if self.template != template {
            self.close_set();
            self.set = self.bytes.len();
            self.template = template;
            put_u16(&mut self.bytes, template);
            put_u16(&mut self.bytes, 0);
        }
        self.bytes.extend_from_slice(record);
        self.records += 1;
    }

    fn close_set(&mut self) {
        if self.template != 0 {
            set_length(&mut self.bytes, self.set + 2, self.set);
        }
    }
}

fn data_record(record: &FlowRecord, flow: &Flow) -> Vec<u8> {
    let key = &flow.key;
    let mut data = Vec::with_capacity(96);
    for address in [key.srcaddr, key.dstaddr] {
        match address {
            IpAddr::V4(address) => data.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => data.extend_from_slice(&address.octets()),
        }
    }
    put_u16(&mut data, key.srcport);
    put_u16(&mut data, key.dstport);
    data.push(key.protocol);
    put_u16(&mut data, u16::from(flow.tcp_flags));
    data.push(u8::from(key.direction == Direction::Egress));
    data.push(forwarding_status(flow));
    data.push(match key.action {
        Action::Accept => FLOW_CREATED,
        Action::Reject => FLOW_DENIED,
    });
    put_u64(&mut data, flow.bytes);
    put_u64(&mut data, flow.packets);
    put_u64(&mut data, record.start.as_millis());
    put_u64(&mut data, record.end.as_millis());
    let name = record.interface.recorder.to_string();
    // An id is far shorter than 255 bytes, which one byte of length can say.
    data.push(name.len() as u8);
    data.extend_from_slice(name.as_bytes());
    data
}

/// firewallEvent: the flow was allowed.
const FLOW_CREATED: u8 = 1;
/// firewallEvent: the flow was denied.
const FLOW_DENIED: u8 = 3;

/// RFC 7270, §4.12: two bits of status, six of the reason.
fn forwarding_status(flow: &Flow) -> u8 {
    const FORWARDED: u8 = 64;
    const DROPPED: u8 = 128;
    const DROPPED_BY_ACCESS_LIST: u8 = 129;
    match (flow.key.action, flow.disposition.is_delivered()) {
        (Action::Reject, _) => DROPPED_BY_ACCESS_LIST,
        (Action::Accept, true) => FORWARDED,
        (Action::Accept, false) => DROPPED,
    }
}

fn put_u16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend_from_slice(&value.to_be_bytes());
}

fn put_u32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_be_bytes());
}

fn put_u64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_be_bytes());
}

/// Writes how many bytes there are from a place on.
fn set_length(bytes: &mut [u8], at: usize, from: usize) {
    let length = (bytes.len() - from) as u16;
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}
