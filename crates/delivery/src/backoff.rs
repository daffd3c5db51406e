//! How long to wait after a failure.

use std::time::Duration;

/// Waits double from `first` to `longest`; half of each wait is chance, so that flow logs with the
/// same destination do not all come back at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// After many.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after the `failures`-th failure in a row, from 1; `random` is any number.
    pub fn delay(&self, failures: u32, random: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest);
        let chance = (random % 1024) as f64 / 1024.0;
        wait / 2 + (wait / 2).mul_f64(chance)
    }
}

/// Numbers for jitter, from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Jitter(pub(crate) u64);

impl Jitter {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        };
        let shortest = |failures| backoff.delay(failures, 0).as_millis();
        assert_eq!(
            [1, 2, 3, 7, 100].map(shortest),
            [500, 1000, 2000, 30_000, 30_000]
        );
        let mut jitter = Jitter(7);
        for failures in 1..50 {
            let delay = backoff.delay(failures, jitter.next());
            assert!(delay <= backoff.longest && delay >= backoff.first / 2);
        }
    }
}
