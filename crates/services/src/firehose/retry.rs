//! When a delivery that failed is tried again (Amazon Data Firehose Developer Guide, "Handle data delivery failures").

use super::batch::Purpose;
use super::destination::Destination;

/// A bucket is tried for so long; then records are lost.
const BUCKET_MS: i64 = 24 * 3600 * 1000;
/// Pauses begin with this, double each time, and are never longer than that.
const FIRST_MS: i64 = 1000;
const LONGEST_MS: i64 = 120_000;

/// How long to try, and what comes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    duration_ms: i64,
    then: Next,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing more: it is delivered.
    Done,
    /// It is tried again, at this time.
    At(i64),
    /// It goes to the bucket for what failed.
    ToBucket,
    /// It is lost.
    Lost,
}

impl Policy {
    pub(crate) fn of(destination: &Destination, purpose: Purpose) -> Self {
        match (destination, purpose) {
            (Destination::HttpEndpoint(own), Purpose::Delivery) => Self {
                duration_ms: own.retry_ms(),
                then: Next::ToBucket,
            },
            _ => Self {
                duration_ms: BUCKET_MS,
                then: Next::Lost,
            },
        }
    }
}

/// What comes after attempt number `attempts`, which failed at `now`; the first one ended at `began`. The last attempt
/// is at the end of the time for it.
pub(crate) fn next(
    policy: Policy,
    began: i64,
    attempts: i64,
    permanent: bool,
    jitter: u128,
    now: i64,
) -> Next {
    let left = policy.duration_ms - now.saturating_sub(began);
    // A bucket may come back: there is nothing that it refuses for good.
    if left <= 0 || (permanent && policy.then == Next::ToBucket) {
        return policy.then;
    }
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(10);
    let pause = (FIRST_MS << doublings).min(LONGEST_MS);
    // 15 % more or less, and never longer than the longest.
    let spread = i64::try_from(jitter % 301).unwrap_or_default() - 150;
    let pause = (pause + pause * spread / 1000).min(LONGEST_MS);
    Next::At(now.saturating_add(pause.min(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_two_minutes_and_end_with_the_time() {
        let policy = Policy {
            duration_ms: 300_000,
            then: Next::ToBucket,
        };
        let (mut now, mut pauses) = (0, Vec::new());
        for attempts in 1.. {
            match next(policy, 0, attempts, false, 150, now) {
                Next::At(at) => {
                    pauses.push((at - now) / 1000);
                    now = at;
                }
                end => {
                    assert_eq!(end, Next::ToBucket);
                    break;
                }
            }
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 120, 53]);
        assert_eq!(next(policy, 0, 1, false, 0, 0), Next::At(850));
        assert_eq!(next(policy, 0, 1, false, 300, 0), Next::At(1150));
        assert_eq!(next(policy, 0, 40, false, 300, 0), Next::At(120_000));
        assert_eq!(next(policy, 0, 1, true, 0, 0), Next::ToBucket);
        let none = Policy {
            duration_ms: 0,
            ..policy
        };
        assert_eq!(next(none, 5, 1, false, 0, 5), Next::ToBucket);
        let bucket = Policy {
            duration_ms: BUCKET_MS,
            then: Next::Lost,
        };
        assert_eq!(next(bucket, 0, 1, true, 150, 0), Next::At(1000));
        assert_eq!(next(bucket, 0, 900, false, 0, BUCKET_MS), Next::Lost);
    }
}
