//! A column of texts: each text once, and for each row which.

use ahash::RandomState;
use hashbrown::HashTable;

/// Texts of a column, by number.
pub(super) struct Dictionary<'a> {
    /// Each text once, in the order of appearance.
    pub(super) texts: Vec<&'a [u8]>,
    /// How each text begins, so that most are compared without a look at what they were read from.
    begins: Vec<Begin>,
    /// For each row the number of its text.
    pub(super) numbers: Vec<u32>,
    /// The number of the row before: neighbours are often alike.
    last: u32,
    seen: HashTable<u32>,
    hasher: RandomState,
}

/// The first bytes of a text as a number that orders as they do, and its length. That is all of a
/// text that is not longer.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Begin(u128, usize);

const BEGIN_BYTES: usize = 16;

impl<'a> Dictionary<'a> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            texts: Vec::new(),
            begins: Vec::new(),
            numbers: Vec::with_capacity(rows),
            last: 0,
            seen: HashTable::new(),
            hasher: RandomState::new(),
        }
    }

    /// Takes a text from the front of `rest`, to its separator.
    #[inline]
    pub(super) fn take(&mut self, rest: &mut &'a [u8]) {
        let begin = Begin::before_separator(rest);
        let (text, after) = rest.split_at(begin.1);
        *rest = after;
        if !self.is(self.last, begin, text) {
            self.last = self.number_of(begin, text);
        }
        self.numbers.push(self.last);
    }

    #[inline]
    fn is(&self, number: u32, begin: Begin, text: &[u8]) -> bool {
        let number = number as usize;
        self.begins.get(number) == Some(&begin)
            && (text.len() <= BEGIN_BYTES || self.texts[number] == text)
    }

    fn number_of(&mut self, begin: Begin, text: &'a [u8]) -> u32 {
        let hash = begin.hash(text, &self.hasher);
        let found = self.seen.find(hash, |&number| self.is(number, begin, text));
        if let Some(&number) = found {
            return number;
        }
        // There are no more texts than rows, and fewer than 2³² of those.
        let number = self.texts.len() as u32;
        self.texts.push(text);
        self.begins.push(begin);
        let hash_of = |&number: &u32| {
            let number = number as usize;
            self.begins[number].hash(self.texts[number], &self.hasher)
        };
        self.seen.insert_unique(hash, number, hash_of);
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
        let (mut least, mut greatest, mut last) = (first, first, first);
        for &number in numbers {
            if number == last {
                continue;
            }
            last = number;
            if self.is_before(number, least) {
                least = number;
            } else if self.is_before(greatest, number) {
                greatest = number;
            }
        }
        Some((self.texts[least as usize], self.texts[greatest as usize]))
    }

    #[inline]
    fn is_before(&self, one: u32, other: u32) -> bool {
        let (one, other) = (one as usize, other as usize);
        let (a, b) = (self.begins[one].0, self.begins[other].0);
        a < b || (a == b && self.texts[one] < self.texts[other])
    }
}

impl Begin {
    /// Of the text in front of the first separator.
    #[inline]
    fn before_separator(rest: &[u8]) -> Self {
        const ONES: u128 = u128::MAX / 0xff;
        let Some(chunk) = rest.first_chunk::<BEGIN_BYTES>() else {
            return Self::slowly(rest);
        };
        let bytes = u128::from_le_bytes(*chunk);
        // The lowest bit that is set is in the first byte that is zero.
        let zeros = |bytes: u128| bytes.wrapping_sub(ONES) & !bytes & (ONES << 7);
        let separators = zeros(bytes ^ (ONES * 0x20)) | zeros(bytes ^ (ONES * 0x0a));
        let length = separators.trailing_zeros() / 8;
        if length == BEGIN_BYTES as u32 {
            return Self::slowly(rest);
        }
        let behind = u128::MAX.checked_shr(8 * length).unwrap_or(0);
        Self(u128::from_be_bytes(*chunk) & !behind, length as usize)
    }

    fn slowly(rest: &[u8]) -> Self {
        let length = memchr::memchr2(b' ', b'\n', rest).unwrap_or(rest.len());
        let mut begin = [0; BEGIN_BYTES];
        let shown = length.min(BEGIN_BYTES);
        begin[..shown].copy_from_slice(&rest[..shown]);
        Self(u128::from_be_bytes(begin), length)
    }

    #[inline]
    fn hash(self, text: &[u8], hasher: &RandomState) -> u64 {
        if text.len() <= BEGIN_BYTES {
            hasher.hash_one(self.0)
        } else {
            hasher.hash_one(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bounds_and_groups(texts in proptest::collection::vec("[ab\u{0}\u{80}]{0,3}|long-long-long-[ab]{1,3}", 1..40)) {
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
