//! What a packet on its way finds of a session, and leaves there.

use packet::tcp;

use super::{Key, Session};
use crate::flow_cache::{Membership, Owner};
use crate::subject::Subject;
use crate::walk::{Walk, last_seen};

impl Walk<'_> {
    /// The session of a key, unless it is over or too long ago, or is not kept.
    pub(crate) fn live_session(
        &mut self,
        key: &Key,
        subject: &Subject,
        is_kept: impl Fn(&Session) -> bool,
    ) -> Option<u32> {
        let index = self.sessions.find(key)?;
        if self.is_live(index, subject, is_kept) {
            return Some(index);
        }
        if let Some(session) = self.sessions.remove(index) {
            session.paths.iter().for_each(|&p| self.cache.forget(p));
        }
        None
    }

    /// Whether a packet that may go elsewhere would find a session that is not reset. It changes none.
    pub(crate) fn would_find_session(&self, key: &Key, subject: &Subject) -> bool {
        let found = self.sessions.find(key);
        found.is_some_and(|index| self.is_live(index, subject, |s| !s.is_reset()))
    }

    fn is_live(&self, index: u32, subject: &Subject, is_kept: impl Fn(&Session) -> bool) -> bool {
        let opens = subject.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN;
        let reopened = opens && subject.quoted.is_none() && self.sessions.is_closed(index);
        let owner = Owner::Session(index);
        let last = last_seen(self.connections, self.sessions, self.cache, owner);
        let is_kept = self.sessions.get(index).is_some_and(is_kept);
        is_kept && !reopened && !self.sessions.is_expired(index, last, self.now)
    }

    /// A packet of a session goes by.
    pub(crate) fn see_session(&mut self, index: u32, outward: bool, subject: &Subject) {
        let seen = self
            .sessions
            .see(index, outward, subject.tcp_flags, self.now);
        let Some(seen) = seen else { return };
        if seen.forget
            && let Some(session) = self.sessions.get(index)
        {
            session.paths.iter().for_each(|&p| self.cache.forget(p));
        }
        self.way.memberships.push(Membership {
            owner: Owner::Session(index),
            egress: outward,
        });
        self.way.idle_secs = self.way.idle_secs.min(seen.idle_secs);
        self.way.cacheable &= seen.cacheable;
    }
}
