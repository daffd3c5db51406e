//! Accounting of GSO super-frames: how many packets, and how many bytes, the wire would have carried.

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
