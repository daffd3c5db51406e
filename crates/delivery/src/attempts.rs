//! What becomes of attempts that fail.

use model::Timestamp;

use crate::parcel::Parcel;
use crate::{DeliveryConfig, SinkError, SinkErrorKind, frame};

/// What a worker remembers between attempts.
#[derive(Default)]
pub(crate) struct Attempts {
    /// Failures in a row.
    pub(crate) failures: u32,
    /// Since when the destination has refused whatever came.
    pub(crate) refused_since: Option<Timestamp>,
    /// The last entry of the parcel that is being tried.
    pub(crate) tried: Option<u64>,
    /// It has arrived, though the spool could not note it; it must not be sent again.
    pub(crate) arrived: bool,
}

impl Attempts {
    /// Takes note of a failure.
    pub(crate) fn failed(&mut self, parcel: &Parcel, error: &SinkError, now: Timestamp) {
        self.failures += 1;
        match error.kind {
            SinkErrorKind::Access | SinkErrorKind::NotFound => {
                self.refused_since.get_or_insert(now);
            }
            SinkErrorKind::RateLimited | SinkErrorKind::Unavailable => self.refused_since = None,
            SinkErrorKind::Rejected => {
                self.refused_since = None;
                // What is too large as one file may be taken as several.
                self.tried = Some(parcel.entry.sequence);
            }
        }
    }

    /// Whether the destination will not take the parcel any more.
    pub(crate) fn are_over(
        &self,
        parcel: &Parcel,
        error: &SinkError,
        now: Timestamp,
        config: &DeliveryConfig,
    ) -> bool {
        if error.kind == SinkErrorKind::Rejected {
            return parcel.entries == 1 && self.failures >= config.attempts_when_rejected;
        }
        // What is younger than the refusal waits from its own time on.
        let since = self.refused_since;
        since.is_some_and(|since| {
            now.since(since.max(frame::oldest(&parcel.entry.batch))) >= config.patience_when_refused
        })
    }
}
