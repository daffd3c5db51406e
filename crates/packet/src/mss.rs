//! The maximum segment size that a TCP SYN announces (RFC 9293 section 3.7.1).

use crate::{
    Ip,
    checksum::{get_u16, put_u16, update_16},
    protocol, tcp,
    tcp::Tcp,
};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// Lowers the maximum segment size that the SYN in `frame`, of which `ip` is what parsing it gave, announces; never
/// raises it. Anything else stays as it is. `partial_checksum` says that the transport checksum is unfinished.
pub fn limit(frame: &mut [u8], ip: &Ip, mss: u16, partial_checksum: bool) {
    if ip.protocol != protocol::TCP || ip.is_later_fragment() || ip.tcp_flags & tcp::SYN == 0 {
        return;
    }
    let range = ip.l4_offset..ip.l3_offset + ip.ip_len;
    let Some(segment) = frame.get_mut(range) else {
        return;
    };
    let Some(at) = value_at(segment) else { return };
    let Some(old) = get_u16(segment, at).filter(|old| *old > mss) else {
        return;
    };
    put_u16(segment, at, mss);
    // An option that begins at an odd place has its bytes in the halves of two words.
    let (old, new) = match at % 2 {
        0 => (old, mss),
        _ => (old.swap_bytes(), mss.swap_bytes()),
    };
    if let (false, Some(check)) = (partial_checksum, get_u16(segment, 16)) {
        put_u16(segment, 16, update_16(check, old, new));
    }
}

/// Where the value of the option is.
fn value_at(segment: &[u8]) -> Option<usize> {
    let end = Tcp::parse(segment).ok()?.header_len();
    let mut at = tcp::HEADER_LEN;
    while at < end {
        match *segment.get(at)? {
            END => return None,
            NO_OPERATION => at += 1,
            kind => {
                let length = usize::from(*segment.get(at + 1)?);
                if kind == MAXIMUM_SEGMENT_SIZE && length == 4 && at + 4 <= end {
                    return Some(at + 2);
                }
                // A shorter length than its own header would never end.
                at += length.max(2);
            }
        }
    }
    None
}
