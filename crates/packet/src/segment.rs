//! GSO super-frames: how many packets, and how many bytes, the wire would have carried, and which those are.

use alloc::vec::Vec;

use crate::build::finish_checksum;
use crate::checksum::put_u16;
use crate::rewrite::Error;
use crate::{Ip, Packet, ipv4, ipv6, protocol, tcp};

/// The packets and layer 3 bytes that a frame stands for. `ip_len` is the super-frame's IP length, `header_len` the IP
/// and transport headers that every segment repeats, `gso_size` the payload of each segment (0: not a super-frame).
pub fn segments(ip_len: usize, header_len: usize, gso_size: usize) -> (u64, u64) {
    let payload = ip_len.saturating_sub(header_len);
    if gso_size == 0 || payload <= gso_size {
        return (1, ip_len as u64);
    }
    let packets = payload.div_ceil(gso_size) as u64;
    (packets, (packets * header_len as u64) + payload as u64)
}

/// Appends the frames that the wire would have carried for `frame` to `out`, with their checksums. `gso_size` is the
/// payload of each (0: the frame is one packet), `partial_checksum` says that the frame's transport checksum is unfinished.
///
/// # Errors
///
/// If the frame is no IP packet, or one that cannot be segmented; nothing is appended then.
pub fn segment(
    frame: &[u8],
    gso_size: usize,
    partial_checksum: bool,
    out: &mut Vec<Vec<u8>>,
) -> Result<(), Error> {
    let packet = Packet::parse(frame).map_err(Error::Malformed)?;
    let ip = packet.ip().ok_or(Error::NotIp)?;
    let end = ip.l3_offset + ip.ip_len;
    let (header, payload) = frame
        .get(..end)
        .and_then(|whole| whole.split_at_checked(ip.payload_offset))
        .unwrap_or((frame, &[]));
    if gso_size == 0 || payload.len() <= gso_size {
        let mut whole = frame.to_vec();
        if partial_checksum {
            finish_checksum(&mut whole)?;
        }
        out.push(whole);
        return Ok(());
    }
    if ip.fragment.is_some() {
        return Err(Error::Fragment);
    }
    let before = out.len();
    for (index, part) in payload.chunks(gso_size).enumerate() {
        let mut one = Vec::with_capacity(header.len() + part.len());
        one.extend_from_slice(header);
        one.extend_from_slice(part);
        let offset = index * gso_size;
        let is_last = offset + part.len() == payload.len();
        number(&mut one, ip, index, offset, is_last);
        if let Err(error) = finish_checksum(&mut one) {
            out.truncate(before);
            return Err(error);
        }
        out.push(one);
    }
    Ok(())
}

/// Makes headers those of one segment.
fn number(frame: &mut [u8], ip: &Ip, index: usize, offset: usize, is_last: bool) {
    let len = frame.len() - ip.l3_offset;
    let transport_len = frame.len() - ip.l4_offset;
    let header = frame
        .get_mut(ip.l3_offset..ip.l4_offset)
        .unwrap_or_default();
    if ip.is_ipv4() {
        put_u16(header, 2, len as u16);
        let first = header
            .get(4..6)
            .map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
        put_u16(header, 4, first.wrapping_add(index as u16));
        ipv4::fill_checksum(header);
    } else {
        put_u16(header, 4, (len - ipv6::HEADER_LEN) as u16);
    }
    let transport = frame.get_mut(ip.l4_offset..).unwrap_or_default();
    if ip.protocol == protocol::UDP {
        put_u16(transport, 4, transport_len as u16);
        return;
    }
    if let Some(place) = transport
        .get_mut(4..)
        .and_then(<[u8]>::first_chunk_mut::<4>)
    {
        *place = u32::from_be_bytes(*place)
            .wrapping_add(offset as u32)
            .to_be_bytes();
    }
    if let Some(flags) = transport.get_mut(13) {
        if index > 0 {
            *flags &= !tcp::CWR;
        }
        if !is_last {
            *flags &= !(tcp::FIN | tcp::PSH);
        }
    }
}
