//! gzip, as AWS compresses files of text (Amazon VPC User Guide, "Flow log files").

use libdeflater::{CompressionLvl, Compressor};

/// Faster than any other level and, on flow logs, no larger than zlib's fast levels.
const LEVEL: i32 = 1;

/// A whole file in gzip. The same text gives the same bytes: the header carries neither a time nor
/// a name.
///
/// # Panics
///
/// Never: the buffer is as large as the compressor says that it can need.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let level = CompressionLvl::new(LEVEL).unwrap_or_default();
    let mut compressor = Compressor::new(level);
    let mut bytes = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(text, &mut bytes).unwrap_or(0);
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn it_is_gzip_and_always_the_same() {
        for text in ["", "a line\n", &"2 123456789012 eni-1\n".repeat(5000)] {
            let bytes = gzip(text.as_bytes());
            assert_eq!(bytes, gzip(text.as_bytes()));
            // No flags, no time.
            assert_eq!(bytes[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
            let mut back = String::new();
            flate2::read::GzDecoder::new(&bytes[..])
                .read_to_string(&mut back)
                .unwrap();
            assert_eq!(back, text);
        }
    }
}
