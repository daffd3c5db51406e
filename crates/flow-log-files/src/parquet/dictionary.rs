//! A column of texts: each text once, and for each row which.

use ahash::RandomState;
use hashbrown::HashTable;

/// Texts of a column, by number.
pub(super) struct Dictionary<'a> {
    /// Each text once, in the order of appearance.
    pub(super) texts: Vec<&'a [u8]>,
    /// The key of each: what they were read from is too far away to be looked at again.
    keys: Vec<Key>,
    /// For each row the number of its text.
    pub(super) numbers: Vec<u32>,
    /// Of the row before: neighbours are often alike.
    last: Entry,
    seen: HashTable<Entry>,
    hasher: RandomState,
}

/// What is found by a look into the table alone, unless a text is long. It takes 24 bytes: many are in no fast cache.
#[derive(Clone, Copy)]
struct Entry {
    key: [u64; 2],
    number: u32,
}

impl Entry {
    const fn new(key: Key, number: u32) -> Self {
        let key = [(key.0 >> 64) as u64, key.0 as u64];
        Self { key, number }
    }

    const fn key(self) -> Key {
        Key((self.key[0] as u128) << 64 | self.key[1] as u128)
    }
}

/// The first fifteen bytes of a text and its length, as a number that orders as texts do. That is all of a text that is
/// not longer; of others the length is not in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

const CHUNK: usize = 16;
const LONG: u128 = 0xff;

impl<'a> Dictionary<'a> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            texts: Vec::new(),
            keys: Vec::new(),
            numbers: Vec::with_capacity(rows),
            last: Entry::new(Key(u128::MAX), u32::MAX),
            seen: HashTable::new(),
            hasher: RandomState::new(),
        }
    }

    /// Takes a text from the front of `rest`, to its separator.
    #[inline]
    pub(super) fn take(&mut self, rest: &mut &'a [u8]) {
        let (key, length) = Key::before_separator(rest);
        let (text, after) = rest.split_at(length);
        *rest = after;
        if !self.is(self.last, key, text) {
            let number = self.number_of(key, text);
            self.last = Entry::new(key, number);
        }
        self.numbers.push(self.last.number);
    }

    #[inline]
    fn is(&self, entry: Entry, key: Key, text: &[u8]) -> bool {
        entry.key() == key
            && (!key.is_long() || self.texts.get(entry.number as usize) == Some(&text))
    }

    fn number_of(&mut self, key: Key, text: &'a [u8]) -> u32 {
        let hash = key.hash(text, &self.hasher);
        let found = self.seen.find(hash, |entry| self.is(*entry, key, text));
        if let Some(entry) = found {
            return entry.number;
        }
        // There are no more texts than rows, and fewer than 2³² of those.
        let number = self.texts.len() as u32;
        self.texts.push(text);
        self.keys.push(key);
        let entry = Entry::new(key, number);
        let hash_of = |entry: &Entry| {
            let text = self.texts[entry.number as usize];
            entry.key().hash(text, &self.hasher)
        };
        self.seen.insert_unique(hash, entry, hash_of);
        number
    }

    /// Rows in the order of their texts; rows of one text stay as they are.
    pub(super) fn grouped(&self, order: &[u32]) -> Vec<u32> {
        let mut sorted: Vec<u32> = (0..self.texts.len() as u32).collect();
        sorted.sort_unstable_by_key(|&number| self.texts[number as usize]);
        let mut counts = vec![0_usize; self.texts.len()];
        for &number in &self.numbers {
            counts[number as usize] += 1;
        }
        let mut places = vec![0; self.texts.len()];
        let mut place = 0;
        for number in sorted {
            places[number as usize] = place;
            place += counts[number as usize];
        }
        let mut grouped = vec![0; order.len()];
        for &row in order {
            let place = &mut places[self.numbers[row as usize] as usize];
            grouped[*place] = row;
            *place += 1;
        }
        grouped
    }

    /// The least and the greatest text of these numbers.
    pub(super) fn bounds(&self, numbers: &[u32]) -> Option<(&'a [u8], &'a [u8])> {
        let &first = numbers.first()?;
        let key = |number: u32| self.keys[number as usize];
        let text = |number: u32| self.texts[number as usize];
        let (mut least, mut greatest) = (first, first);
        let (mut from, mut to) = (key(first), key(first));
        for &number in numbers {
            let at = key(number);
            if at <= from && number != least && (at < from || text(number) < text(least)) {
                (least, from) = (number, at);
            }
            if at >= to && number != greatest && (at > to || text(number) > text(greatest)) {
                (greatest, to) = (number, at);
            }
        }
        Some((text(least), text(greatest)))
    }

    /// Writes a text behind its length, as in a dictionary page (Parquet format, "Encodings": PLAIN).
    #[inline]
    pub(super) fn write(&self, number: u32, page: &mut Vec<u8>) {
        let number = number as usize;
        let key = self.keys[number];
        if key.is_long() {
            let text = self.texts[number];
            page.extend_from_slice(&(text.len() as u32).to_le_bytes());
            page.extend_from_slice(text);
            return;
        }
        // A copy of as many bytes as there can be costs less than one of as many as there are.
        let length = key.0 & LONG;
        let end = page.len() + 4 + length as usize;
        page.extend_from_slice(&(length as u32).to_le_bytes());
        page.extend_from_slice(&key.0.to_be_bytes());
        page.truncate(end);
    }
}

impl Key {
    /// Of the text in front of the first separator; and the text's length.
    #[inline]
    fn before_separator(rest: &[u8]) -> (Self, usize) {
        let Some((chunk, behind)) = rest.split_first_chunk::<CHUNK>() else {
            return Self::slowly(rest);
        };
        let length = separator(chunk);
        if length < CHUNK && matches!(chunk[length], b' ' | b'\n') {
            // Never all bits: the text is shorter than the chunk.
            let shown = !(u128::MAX >> (8 * length));
            let key = u128::from_be_bytes(*chunk) & shown | length as u128;
            return (Self(key), length);
        }
        // Ids of seventeen digits are in the second chunk's reach.
        if length == CHUNK
            && let Some(next) = behind.first_chunk::<CHUNK>()
            && let more = separator(next)
            && let Some(b' ' | b'\n') = next.get(more)
        {
            return (Self::long(*chunk), CHUNK + more);
        }
        Self::slowly(rest)
    }

    fn slowly(rest: &[u8]) -> (Self, usize) {
        let length = memchr::memchr2(b' ', b'\n', rest).unwrap_or(rest.len());
        let mut chunk = [0; CHUNK];
        let shown = length.min(CHUNK);
        chunk[..shown].copy_from_slice(&rest[..shown]);
        let key = match length < CHUNK {
            true => Self(u128::from_be_bytes(chunk) | length as u128),
            false => Self::long(chunk),
        };
        (key, length)
    }

    const fn long(chunk: [u8; CHUNK]) -> Self {
        Self(u128::from_be_bytes(chunk) | LONG)
    }

    const fn is_long(self) -> bool {
        self.0 & LONG == LONG
    }

    #[inline]
    fn hash(self, text: &[u8], hasher: &RandomState) -> u64 {
        if self.is_long() {
            hasher.hash_one(text)
        } else {
            hasher.hash_one(self.0)
        }
    }
}

/// The place of the first byte that can be a separator: a space or a control character. All of the chunk if there is
/// none.
#[inline]
const fn separator(chunk: &[u8; CHUNK]) -> usize {
    const ONES: u128 = u128::MAX / 0xff;
    let bytes = u128::from_le_bytes(*chunk);
    // The lowest bit that is set is in the first byte up to 0x20; what is above it may be a borrow.
    let low = bytes.wrapping_sub(ONES * 0x21) & !bytes & (ONES << 7);
    low.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bounds_and_groups(texts in proptest::collection::vec("[ab\u{0}\u{80}]{0,3}|long-long-long-[ab]{0,3}|long-long-long-long-long-long-long-[ab]{0,2}|eni-0123456789abcde[ab]\u{1}?", 1..40)) {
            let line = texts.join(" ");
            let mut dictionary = Dictionary::with_capacity(0);
            let mut rest = line.as_bytes();
            for _ in &texts {
                dictionary.take(&mut rest);
                rest = rest.get(1..).unwrap_or_default();
            }
            let back = dictionary.numbers.iter().map(|&n| dictionary.texts[n as usize]);
            prop_assert!(back.eq(texts.iter().map(String::as_bytes)));
            let bounds = (texts.iter().min().unwrap().as_bytes(), texts.iter().max().unwrap().as_bytes());
            prop_assert_eq!(dictionary.bounds(&dictionary.numbers), Some(bounds));
            let order: Vec<u32> = (0..texts.len() as u32).rev().collect();
            let mut sorted = order.clone();
            sorted.sort_by_key(|&row| &texts[row as usize]);
            prop_assert_eq!(dictionary.grouped(&order), sorted);
        }
    }
}
