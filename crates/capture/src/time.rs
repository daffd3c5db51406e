//! Times of packets, in the units of their interface.

/// Units of a second in which an interface tells times, and where it begins to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    per_second: u64,
    offset_s: i64,
}

impl Units {
    pub(crate) const MICROSECONDS: Self = Self::new(1_000_000, 0);
    pub(crate) const NANOSECONDS: Self = Self::new(1_000_000_000, 0);

    const fn new(per_second: u64, offset_s: i64) -> Self {
        Self {
            per_second,
            offset_s,
        }
    }

    /// As pcapng's `if_tsresol` and `if_tsoffset` say; `None` for units that no clock has.
    pub(crate) fn of(resolution: u8, offset_s: i64) -> Option<Self> {
        let exponent = u32::from(resolution & 0x7f);
        let per_second = match resolution & 0x80 {
            0 => 10_u64.checked_pow(exponent)?,
            _ => 1_u64.checked_shl(exponent)?,
        };
        Some(Self::new(per_second, offset_s))
    }

    /// Nanoseconds since 1970; times before that are 1970, times beyond the year 2554 that.
    pub(crate) fn nanoseconds(self, units: u64) -> u64 {
        const BILLION: u64 = 1_000_000_000;
        let (seconds, rest) = (units / self.per_second, units % self.per_second);
        let nanoseconds = match self.per_second {
            BILLION => rest,
            per_second => (u128::from(rest) * u128::from(BILLION) / u128::from(per_second)) as u64,
        };
        seconds
            .saturating_add_signed(self.offset_s)
            .saturating_mul(BILLION)
            .saturating_add(nanoseconds)
    }
}
