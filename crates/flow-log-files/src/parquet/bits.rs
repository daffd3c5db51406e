//! Numbers in few bits (Parquet format, "Encodings": RLE/bit-packing hybrid, delta encoding).

/// A run of equal numbers that is shorter costs less packed.
const RUN_MIN: usize = 8;
/// Numbers of a block of delta encoding, and of each of its parts.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// How many bits the numbers up to one need.
pub(super) const fn width(greatest: u64) -> u8 {
    (u64::BITS - greatest.leading_zeros()) as u8
}

/// Runs of equal numbers, and eights of others packed in `width` bits each.
pub(super) fn write_runs(bytes: &mut Vec<u8>, numbers: &[u32], width: u8) {
    let mut rest = numbers;
    while !rest.is_empty() {
        let run = run(rest);
        if run >= RUN_MIN || run == rest.len() {
            write_run(bytes, run, rest[0], width);
            rest = &rest[run..];
            continue;
        }
        let mut packed = 0;
        while packed < rest.len() && self::run(&rest[packed..]) < RUN_MIN {
            packed += 8;
        }
        write_varint(bytes, (packed as u64 / 8) << 1 | 1);
        let (group, after) = rest.split_at(packed.min(rest.len()));
        pack(bytes, group.iter().map(|&n| u64::from(n)), packed, width);
        rest = after;
    }
}

/// A number, so many times.
pub(super) fn write_run(bytes: &mut Vec<u8>, length: usize, number: u32, width: u8) {
    write_varint(bytes, (length as u64) << 1);
    bytes.extend_from_slice(&number.to_le_bytes()[..usize::from(width).div_ceil(8)]);
}

/// How many numbers at the front are equal.
fn run(numbers: &[u32]) -> usize {
    let Some(&first) = numbers.first() else {
        return 0;
    };
    let differs = numbers.iter().position(|&number| number != first);
    differs.unwrap_or(numbers.len())
}

/// Differences of neighbours, in as few bits as each part needs. Numbers must not be negative, so
/// that the differences of 32-bit ones need no more than 32 bits.
pub(super) fn write_deltas(bytes: &mut Vec<u8>, numbers: &[i64]) {
    write_varint(bytes, BLOCK as u64);
    write_varint(bytes, (BLOCK / MINIBLOCK) as u64);
    write_varint(bytes, numbers.len() as u64);
    let Some((&first, rest)) = numbers.split_first() else {
        write_zigzag(bytes, 0);
        return;
    };
    write_zigzag(bytes, first);
    let mut before = first;
    for block in rest.chunks(BLOCK) {
        let mut deltas = [0_i64; BLOCK];
        let mut least = i64::MAX;
        for (delta, &number) in deltas.iter_mut().zip(block) {
            *delta = number.wrapping_sub(before);
            before = number;
            least = least.min(*delta);
        }
        write_zigzag(bytes, least);
        let widths = bytes.len();
        bytes.extend_from_slice(&[0; BLOCK / MINIBLOCK]);
        let deltas = &deltas[..block.len()];
        for (place, part) in deltas.chunks(MINIBLOCK).enumerate() {
            let above = |&delta: &i64| delta.wrapping_sub(least).cast_unsigned();
            let width = width(part.iter().map(above).fold(0, |all, one| all | one));
            bytes[widths + place] = width;
            pack(bytes, part.iter().map(above), MINIBLOCK, width);
        }
    }
}

/// `count` numbers of `width` bits, a multiple of eight; those that are not there are 0.
#[inline]
fn pack(bytes: &mut Vec<u8>, numbers: impl Iterator<Item = u64>, count: usize, width: u8) {
    let length = count / 8 * usize::from(width);
    let (begin, end) = (bytes.len(), bytes.len() + length);
    if width == 0 {
        return;
    }
    bytes.resize(begin + length.next_multiple_of(8), 0);
    let mut words = bytes[begin..].chunks_exact_mut(8);
    let (mut waiting, mut bits) = (0_u64, 0_u32);
    let width = u32::from(width);
    for number in numbers {
        waiting |= number << bits;
        bits += width;
        if bits >= u64::BITS {
            if let Some(word) = words.next() {
                word.copy_from_slice(&waiting.to_le_bytes());
            }
            bits -= u64::BITS;
            // What did not fit; a shift by all bits has to give nothing.
            waiting = number.checked_shr(width - bits).unwrap_or(0);
        }
    }
    if let Some(word) = words.next() {
        word.copy_from_slice(&waiting.to_le_bytes());
    }
    bytes.truncate(end);
}

/// ULEB128.
pub(super) fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn write_zigzag(bytes: &mut Vec<u8>, number: i64) {
    write_varint(bytes, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Encodings": 0 to 7 in three bits.
    #[test]
    fn packed_as_the_format_says() {
        let mut bytes = Vec::new();
        write_runs(&mut bytes, &[0, 1, 2, 3, 4, 5, 6, 7], 3);
        assert_eq!(bytes, [3, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        bytes.clear();
        write_runs(&mut bytes, &[300; 9], 9);
        assert_eq!(bytes, [18, 44, 1]);
    }

    /// The examples of "Encodings": 1 to 5; and 7, 5, 3, 1, 2, 3, 4, 5.
    #[test]
    fn deltas_as_the_format_says() {
        let mut bytes = Vec::new();
        write_deltas(&mut bytes, &[1, 2, 3, 4, 5]);
        assert_eq!(bytes, [0x80, 1, 4, 5, 2, 2, 0, 0, 0, 0]);
        bytes.clear();
        write_deltas(&mut bytes, &[7, 5, 3, 1, 2, 3, 4, 5]);
        let packed = [0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes[..10], [0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0]);
        assert_eq!(bytes[10..], packed);
    }
}
