//! The unprivileged user of a sandbox, and how a process becomes it for good.

use std::io;

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::sys;
use crate::userns::{is_mapped, map_user};

/// Who the programs of a sandbox run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// A user of its own.
    User {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
    /// For a daemon without root, which has no second user id to give: a user namespace in which the daemon's user
    /// has this id and no capability. Seen from the host it is still the daemon's user.
    NestedUser {
        /// User id inside.
        uid: u32,
        /// Group id inside.
        gid: u32,
    },
}

impl Identity {
    /// A user for the sandbox with this number, as distinct from the others as the machine allows.
    #[must_use]
    pub fn for_number(number: u32) -> Self {
        let candidates = [200_000_u32.saturating_add(number), 10_000 + number % 40_000];
        for id in candidates {
            if is_mapped("/proc/self/uid_map", id) && is_mapped("/proc/self/gid_map", id) {
                return Self::User { uid: id, gid: id };
            }
        }
        Self::NestedUser {
            uid: 1000,
            gid: 1000,
        }
    }

    /// The ids as the sandbox's programs see them.
    #[must_use]
    pub fn ids(self) -> (u32, u32) {
        match self {
            Self::User { uid, gid } | Self::NestedUser { uid, gid } => (uid, gid),
        }
    }

    /// The ids to which the sandbox's own files belong.
    pub(crate) fn file_owner(self) -> (u32, u32) {
        match self {
            Self::User { uid, gid } => (uid, gid),
            Self::NestedUser { .. } => (0, 0),
        }
    }
}

/// Gives up every privilege and applies the limits: the last thing before a program of the sandbox starts.
pub(crate) fn become_user(identity: Identity, limits: &Limits) -> io::Result<()> {
    limits.apply()?;
    match identity {
        Identity::User { uid, gid } => {
            sys::empty_bounding_set()?;
            sys::set_user(uid, gid)?;
        }
        Identity::NestedUser { uid, gid } => {
            let (outer_uid, outer_gid) = (geteuid().as_raw(), getegid().as_raw());
            // SAFETY: a new user namespace leaves file descriptors as they are.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }?;
            map_user(uid, outer_uid, gid, outer_gid)?;
            sys::empty_bounding_set()?;
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    keep_capabilities(CapabilitySet::empty())?;
    rustix::thread::set_no_new_privs(true)?;
    super::seccomp::install()?;
    sys::unblock_signals()
}

/// Gives up all capabilities but these.
pub(crate) fn keep_capabilities(kept: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}
