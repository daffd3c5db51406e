//! Health checks by HTTPS: TLS needs randomness, so it is spoken by who embeds the data plane. The connection is here, and
//! each step of it goes outside and comes back in order.

use model::Timestamp;

use crate::forward::Dataplane;
use crate::ports::PortId;

/// A check by HTTPS that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckId {
    /// The interface of the load balancer's node.
    pub node: PortId,
    /// The source port. A node has one check under way from each.
    pub port: u16,
    /// No other check ever has it.
    pub number: u64,
}

/// Something that happens to a check by HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsStep {
    /// The target has accepted the connection. TLS begins, and once it is set up the request is to be sent.
    Accepted {
        /// In the clear.
        request: Vec<u8>,
    },
    /// The target has sent bytes, the last ones perhaps.
    Received {
        /// As they came.
        bytes: Vec<u8>,
        /// Whether the target has ended the connection with them.
        is_last: bool,
    },
    /// The check is over, and nobody waits for an answer.
    Over,
}

/// What becomes of a step of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsAnswer {
    /// What to send to the target.
    pub to_target: Vec<u8>,
    /// What the target says in the clear.
    pub text: Vec<u8>,
    /// Whether no more text will come: TLS has ended, or failed.
    pub is_over: bool,
}

impl Dataplane {
    /// The steps of health checks by HTTPS since the last call. Each but [`TlsStep::Over`] is to be answered, in order,
    /// with [`Dataplane::take_tls_answer`]; a check whose step is not answered times out.
    pub fn take_tls_steps(&mut self) -> Vec<(CheckId, TlsStep)> {
        self.health_checks.take_tls_steps()
    }

    /// Takes what became of a step. [`Dataplane::emitted`] is then what to write.
    pub fn take_tls_answer(&mut self, check: CheckId, answer: TlsAnswer, now: Timestamp) {
        self.emitted.clear();
        self.health_checks.opened(check, answer);
        for segment in self.health_checks.take_says() {
            self.send_segment(&segment, now);
        }
    }
}
