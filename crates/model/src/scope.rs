//! Whose resources, and where: every resource belongs to one account and one Region.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Region;

/// An AWS account: twelve digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(u64);

/// The text is not twelve digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid account ID: \"{0}\" (expecting twelve digits)")]
pub struct MalformedAccountId(pub String);

impl FromStr for AccountId {
    type Err = MalformedAccountId;
    fn from_str(text: &str) -> Result<Self, MalformedAccountId> {
        let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|_| digits)
            .map(Self)
            .ok_or_else(|| MalformedAccountId(text.to_owned()))
    }
}

impl TryFrom<String> for AccountId {
    type Error = MalformedAccountId;
    fn try_from(text: String) -> Result<Self, MalformedAccountId> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand, as every flow log record has one.
        let mut text = [0; 12];
        let mut rest = self.0;
        for digit in text.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An account in a Region: what one EC2 call can see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
}

impl Scope {
    /// `arn:aws:ec2:<region>:<account>:<resource>`.
    pub fn arn(&self, resource: impl fmt::Display) -> String {
        format!("arn:aws:ec2:{}:{}:{resource}", self.region, self.account)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
