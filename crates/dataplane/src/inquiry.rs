//! What the data plane asks of who embeds it, and what it makes of the answers.

use crate::compile::Snapshot;
use crate::drop_reason::DropReason;
use crate::forward::{Dataplane, Verdict};
use crate::service::dns::outside::{Inquiry, Next, Waiting};

impl Dataplane {
    /// The questions for name servers outside that have come up since the last call; there are none without an uplink.
    /// Each is to be given to [`Dataplane::answer_inquiry`] in the end, answered or not.
    pub fn take_inquiries(&mut self) -> Vec<Inquiry> {
        self.outside.take_inquiries()
    }

    /// Takes the answer to an inquiry, `None` if nobody gave one. [`Dataplane::emitted`] is then what to write, and
    /// there may be another inquiry.
    pub fn answer_inquiry(&mut self, id: u64, response: Option<&[u8]>) {
        self.emitted.clear();
        let Some(waiting) = self.outside.answered(id) else {
            return;
        };
        let snapshot = self.snapshot.clone();
        let next = match response {
            Some(response) => waiting.receive(&snapshot, response),
            None => waiting
                .fail(&snapshot)
                .map(|(port, frame)| Next::Frame(port, frame)),
        };
        match next {
            Some(Next::Frame(port, frame)) => {
                self.answer(port, Ok(frame));
            }
            Some(Next::Ask(waiting)) => {
                self.ask_outside(&snapshot, waiting);
            }
            None => {}
        }
    }

    /// Has a question asked outside, if there is a way there.
    pub(crate) fn ask_outside(&mut self, snapshot: &Snapshot, waiting: Box<Waiting>) -> Verdict {
        let refused = match snapshot.internet.uplink {
            Some(_) => match self.outside.ask(waiting) {
                Ok(()) => return Verdict::Emit,
                Err(waiting) => waiting,
            },
            None => waiting,
        };
        match refused.fail(snapshot) {
            Some((port, frame)) => self.answer(port, Ok(frame)),
            None => self.drop(DropReason::ServiceUnavailable),
        }
    }
}
