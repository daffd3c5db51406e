//! A part of the capture in memory, and where in the capture that is.

use std::io::Read;

/// How much is asked for at once.
const CHUNK: usize = 1 << 18;

pub(crate) struct Buffer<R> {
    source: R,
    bytes: Vec<u8>,
    /// What is used up, and what is there.
    at: usize,
    end: usize,
    /// Bytes of the capture before `bytes`.
    before: u64,
    ended: bool,
    /// Why there is no more.
    failed: Option<String>,
}

impl<R: Read> Buffer<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            bytes: Vec::new(),
            at: 0,
            end: 0,
            before: 0,
            ended: false,
            failed: None,
        }
    }

    /// How many bytes of the capture are used up.
    #[inline]
    pub(crate) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// What is here and not used up, `wanted` bytes if there are so many.
    #[inline]
    pub(crate) fn peek(&mut self, wanted: usize) -> &[u8] {
        if self.end - self.at < wanted {
            self.fill(wanted);
        }
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    /// The bytes that were used up last.
    #[inline]
    pub(crate) fn last(&self, count: usize) -> &[u8] {
        self.at
            .checked_sub(count)
            .and_then(|from| self.bytes.get(from..self.at))
            .unwrap_or_default()
    }

    /// Uses bytes up that have been peeked at.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) {
        self.at = (self.at + count).min(self.end);
    }

    /// Uses bytes up without looking at them; answers how many there were.
    pub(crate) fn skip(&mut self, count: u64) -> u64 {
        let mut left = count;
        while left > 0 {
            let here = self
                .peek(1)
                .len()
                .min(usize::try_from(left).unwrap_or(CHUNK));
            if here == 0 {
                break;
            }
            self.take(here);
            left -= here as u64;
        }
        count - left
    }

    /// Why the bytes end before they should.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    #[cold]
    fn fill(&mut self, wanted: usize) {
        self.bytes.copy_within(self.at..self.end, 0);
        self.before += self.at as u64;
        self.end -= self.at;
        self.at = 0;
        let room = wanted.max(CHUNK);
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
        while self.end < wanted && !self.ended {
            let free = self.bytes.get_mut(self.end..).unwrap_or_default();
            match self.source.read(free) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error.to_string());
                }
            }
        }
    }
}
