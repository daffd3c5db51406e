//! What remembers a flow on its way.

use smallvec::SmallVec;

/// What remembers a flow on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A connection that an interface's groups track.
    Connection(u32),
    /// A session of a NAT gateway.
    Session(u32),
}

/// A flow is one direction of what its owner remembers: out of the interface or gateway, or into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) owner: Owner,
    pub(crate) egress: bool,
}

/// Everything that remembers a flow, in the order of its way.
pub(crate) type Memberships = SmallVec<[Membership; 2]>;

const EGRESS: u32 = 1;
const SESSION: u32 = 2;
const NOBODY: u32 = u32::MAX;

/// The same in sixteen bytes, unless there are more than two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Few([u32; 2]),
    Many(Box<[u32]>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Few([NOBODY; 2])
    }
}

impl Kept {
    pub(super) fn new(memberships: &[Membership]) -> Self {
        let word = |member: &Membership| {
            let owner = match member.owner {
                Owner::Connection(index) => index << 2,
                Owner::Session(index) => index << 2 | SESSION,
            };
            owner | if member.egress { EGRESS } else { 0 }
        };
        match memberships {
            [] => Self::Few([NOBODY; 2]),
            [one] => Self::Few([word(one), NOBODY]),
            [one, two] => Self::Few([word(one), word(two)]),
            more => Self::Many(more.iter().map(word).collect()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Few([NOBODY, _]))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Membership> {
        let words: &[u32] = match self {
            Self::Few(words) => words,
            Self::Many(words) => words,
        };
        words
            .iter()
            .filter(|&&word| word != NOBODY)
            .map(|&word| Membership {
                owner: match word & SESSION {
                    0 => Owner::Connection(word >> 2),
                    _ => Owner::Session(word >> 2),
                },
                egress: word & EGRESS != 0,
            })
    }
}
