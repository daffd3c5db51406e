//! What a data plane is asked to do besides forwarding: give counters away, and forget.

use std::sync::Arc;

use model::Timestamp;

use crate::forward::Dataplane;
use crate::{FlowSample, InterfaceMetadata};

impl Dataplane {
    /// Takes what interfaces saw since the last harvest, of at most so many flows at once, so that
    /// packets never wait for long. Tells whether there is more; until there is not, what is seen
    /// meanwhile may or may not be part of this harvest.
    pub fn harvest(&mut self, limit: usize, into: &mut Vec<FlowSample>) -> bool {
        let more = self.cache.harvest(limit, |records, counted| {
            crate::meter::push_samples(records, counted, into);
        });
        more || self.meter.drain(limit, into)
    }

    /// The interfaces that saw more than there was memory for since the last call.
    pub fn take_skipped(&mut self) -> Vec<Arc<InterfaceMetadata>> {
        self.meter.take_skipped()
    }

    /// Lets go of flows and connections that have been idle for too long. Looks at a bounded
    /// number of them, so it is to be called often: some ten times a second.
    pub fn sweep(&mut self, now: Timestamp) {
        const STEPS: u32 = 2048;
        for _ in 0..STEPS.min(self.cache.places()) {
            self.swept_flows = (self.swept_flows + 1) % self.cache.places();
            let expired = self.cache.expire(self.swept_flows, self.epoch, now);
            let Some((counted, connections, last)) = expired else {
                continue;
            };
            if let Some(counted) = counted {
                self.meter.keep(&counted);
            }
            for tracked in connections {
                if let Some(connection) = self.connections.get_mut(tracked.connection)
                    && connection.paths.contains(&self.swept_flows)
                {
                    connection.last = connection.last.max(last);
                }
            }
        }
        for _ in 0..STEPS.min(self.connections.places()) {
            self.swept_connections = (self.swept_connections + 1) % self.connections.places();
            let index = self.swept_connections;
            let last = crate::walk::last_seen(&self.connections, &self.cache, index);
            if self.connections.is_expired(index, last, now)
                && let Some(connection) = self.connections.remove(index)
            {
                connection.paths.iter().for_each(|&p| self.cache.forget(p));
            }
        }
    }
}
