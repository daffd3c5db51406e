//! What a data plane is asked to do besides forwarding: give counters away, and forget.

use std::sync::Arc;

use model::Timestamp;

use crate::flow_cache::{Memberships, Owner};
use crate::forward::Dataplane;
use crate::{FlowSample, HealthFinding, InterfaceMetadata};

impl Dataplane {
    /// Takes what interfaces saw since the last harvest, of at most so many flows at once, so that
    /// packets never wait for long. Tells whether there is more; until there is not, what is seen
    /// meanwhile may or may not be part of this harvest.
    pub fn harvest(&mut self, limit: usize, into: &mut Vec<FlowSample>) -> bool {
        let more = self.cache.harvest(limit, |record, counted| {
            into.push(record.sample(counted));
        });
        self.learn_ends();
        more || self.meter.drain(limit, into)
    }

    /// Takes only what waits besides the flows of the cache ([`Dataplane::waiting`]), of at most so many flows. Tells
    /// whether there is more.
    pub fn harvest_waiting(&mut self, limit: usize, into: &mut Vec<FlowSample>) -> bool {
        self.meter.drain(limit, into)
    }

    /// The interfaces that saw more than there was memory for since the last call.
    pub fn take_skipped(&mut self) -> Vec<Arc<InterfaceMetadata>> {
        self.meter.take_skipped()
    }

    /// Sends the health checks of load balancers' targets that are due, as [`Dataplane::emitted`]. To be called as
    /// often as [`Dataplane::sweep`].
    pub fn check_health(&mut self, now: Timestamp) {
        self.emitted.clear();
        for segment in self.health_checks.due(now) {
            self.send_segment(&segment, now);
        }
    }

    /// What health checks have found out since the last call.
    pub fn take_health_findings(&mut self) -> Vec<HealthFinding> {
        self.health_checks.take_findings()
    }

    /// Lets go of flows and connections that have been idle for too long. Looks at a bounded
    /// number of them, so it is to be called often: some ten times a second.
    pub fn sweep(&mut self, now: Timestamp) {
        const STEPS: u32 = 2048;
        self.cache.tend();
        for _ in 0..STEPS.min(self.cache.places()) {
            self.swept_flows = (self.swept_flows + 1) % self.cache.places();
            let at = self.cache.place(self.swept_flows);
            let expired = self.cache.expire(at, self.epoch, now);
            if let Some((counted, memberships, last)) = expired {
                if let Some(before) = counted {
                    self.meter.keep(before.records, &before.counted);
                }
                self.was_at(at, &memberships, last);
            }
        }
        self.learn_ends();
        for _ in 0..STEPS.min(self.connections.places()) {
            self.swept_connections = (self.swept_connections + 1) % self.connections.places();
            let index = self.swept_connections;
            let Some(known) = self.connections.get(index) else {
                continue;
            };
            let is_over = |last| {
                let rested = now.since(last);
                self.origins.is_left(&self.snapshot, known, rested)
                    || self.connections.is_expired(index, last, now)
            };
            // What the flow cache saw is asked only if what is known here has been idle for long enough.
            if is_over(known.last)
                && is_over(self.last_seen(Owner::Connection(index)))
                && let Some(connection) = self.connections.remove(index)
            {
                connection.paths.iter().for_each(|&p| self.cache.forget(p));
                self.origins.ended(&self.snapshot, &connection);
            }
        }
        for _ in 0..STEPS.min(self.sessions.places()) {
            self.swept_sessions = (self.swept_sessions + 1) % self.sessions.places();
            let index = self.swept_sessions;
            let Some(known) = self.sessions.get(index) else {
                continue;
            };
            let mut ends = [known.gateway(), known.far_gateway()].into_iter();
            let is_orphan = ends.any(|port| self.snapshot.port(port).is_none());
            let is_expired = |last| self.sessions.is_expired(index, last, now);
            if (is_orphan
                || is_expired(known.last) && is_expired(self.last_seen(Owner::Session(index))))
                && let Some(session) = self.sessions.remove(index)
            {
                session.paths.iter().for_each(|&p| self.cache.forget(p));
            }
        }
    }

    /// The flow at a path is not its owners' any longer: they keep when it was last seen.
    pub(crate) fn was_at(&mut self, path: u32, memberships: &Memberships, seen: Timestamp) {
        for member in memberships {
            let paths = match member.owner {
                Owner::Connection(index) => self.connections.get(index).map(|c| c.paths),
                Owner::Session(index) => self.sessions.get(index).map(|s| s.paths),
            };
            // Somebody else may have the former owner's place.
            if paths.is_some_and(|paths| paths.contains(&path)) {
                self.lasts(member.owner, seen);
            }
        }
    }

    /// What the flow cache knows of and shall not remember any longer.
    pub(crate) fn lasts(&mut self, owner: Owner, seen: Timestamp) {
        match owner {
            Owner::Connection(index) => {
                if let Some(connection) = self.connections.get_mut(index) {
                    connection.lasts(seen);
                }
            }
            Owner::Session(index) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    session.lasts(seen);
                }
            }
        }
    }

    fn last_seen(&self, owner: Owner) -> Timestamp {
        crate::walk::last_seen(&self.connections, &self.sessions, &self.cache, owner)
    }
}
