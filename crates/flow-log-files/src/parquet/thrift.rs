//! Thrift's compact protocol, as far as lengths go: bytes are walked over before the library
//! allocates what they claim to hold.

/// Structs in structs; Parquet has six.
const DEPTH_MAX: u8 = 16;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They end too early.
    Short,
    /// There is no such value.
    Wrong,
}

/// What is left of the bytes.
pub(super) struct Walk<'a>(pub(super) &'a [u8]);

/// Types of values.
pub(super) const I32: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

impl Walk<'_> {
    /// Walks over a struct. A field of which `take` says that it has taken its value is not walked
    /// over again.
    pub(super) fn fields(
        &mut self,
        take: impl FnMut(&mut Self, i64, u8) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        self.fields_in(DEPTH_MAX, take)
    }

    fn fields_in(
        &mut self,
        depth: u8,
        mut take: impl FnMut(&mut Self, i64, u8) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut id = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            id = match head >> 4 {
                0 => self.number()?,
                more => id + i64::from(more),
            };
            let kind = head & 15;
            if !take(self, id, kind)? {
                self.pass(kind, depth)?;
            }
        }
    }

    /// The type of a list's values, and how many there are: never more than there are bytes.
    pub(super) fn list(&mut self) -> Result<(u8, usize), Fault> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.length()?,
            few => usize::from(few),
        };
        if count > self.0.len() {
            return Err(Fault::Short);
        }
        Ok((head & 15, count))
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Result<i64, Fault> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    fn pass(&mut self, kind: u8, depth: u8) -> Result<(), Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Wrong)?;
        match kind {
            1 | 2 => Ok(()),
            3 => self.byte().map(|_| ()),
            4..=6 => self.varint().map(|_| ()),
            7 => self.bytes(8),
            8 => {
                let length = self.length()?;
                self.bytes(length)
            }
            LIST | 10 => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.pass_element(kind, depth))
            }
            11 => {
                let count = self.length()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                for _ in 0..count {
                    self.pass_element(kinds >> 4, depth)?;
                    self.pass_element(kinds & 15, depth)?;
                }
                Ok(())
            }
            STRUCT => self.fields_in(depth, |_, _, _| Ok(false)),
            _ => Err(Fault::Wrong),
        }
    }

    /// In a list also a truth value has a byte.
    fn pass_element(&mut self, kind: u8, depth: u8) -> Result<(), Fault> {
        match kind {
            1 | 2 => self.byte().map(|_| ()),
            kind => self.pass(kind, depth),
        }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let (&byte, rest) = self.0.split_first().ok_or(Fault::Short)?;
        self.0 = rest;
        Ok(byte)
    }

    fn bytes(&mut self, count: usize) -> Result<(), Fault> {
        self.0 = self.0.get(count..).ok_or(Fault::Short)?;
        Ok(())
    }

    fn length(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.varint()?).map_err(|_| Fault::Wrong)
    }

    /// ULEB128.
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Fault::Wrong)
    }
}
