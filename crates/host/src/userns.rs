//! User namespaces: how the daemon does its work without root.

use std::fs;

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, UnshareFlags, capabilities};

use crate::error::{During, Result};

/// Where the daemon's power over networks comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// It has the capabilities that it needs: root, or a user namespace that somebody made for it.
    Capable,
    /// It entered a user namespace by itself, where it may do anything to networks that are made there.
    UserNamespace,
    /// Neither.
    None,
}

/// What the calling process may do as it is.
#[must_use]
pub fn privilege() -> Privilege {
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    match capabilities(None) {
        Ok(sets) if sets.effective.contains(needed) => Privilege::Capable,
        _ => Privilege::None,
    }
}

/// Makes sure that the process may create network namespaces: does nothing if it has the capabilities, otherwise
/// enters a user namespace in which the caller is root. Files made later still belong to the caller.
///
/// To be called while the process has one thread.
pub fn enter_user_namespace() -> Result<Privilege> {
    if privilege() == Privilege::Capable {
        return Ok(Privilege::Capable);
    }
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    // SAFETY: a new user namespace leaves file descriptors as they are.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }
        .during(|| "enter a user namespace".into())?;
    map_user(0, uid, 0, gid).during(|| "become root in a user namespace".into())?;
    Ok(Privilege::UserNamespace)
}

/// Writes the maps of the user namespace that the process has just entered: one user, one group.
pub(crate) fn map_user(uid: u32, outer_uid: u32, gid: u32, outer_gid: u32) -> std::io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("{gid} {outer_gid} 1"))?;
    fs::write("/proc/self/uid_map", format!("{uid} {outer_uid} 1"))
}

/// Does this id exist in the current user namespace?
pub(crate) fn is_mapped(map: &str, id: u32) -> bool {
    let Ok(text) = fs::read_to_string(map) else {
        return false;
    };
    text.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(length))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        (first..first + length).contains(&u64::from(id))
    })
}
