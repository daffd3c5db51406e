//! What users, groups, roles, managed policies and instance profiles have alike: a name, a path, an id, an ARN and tags
//! (IAM User Guide, "IAM identifiers").

use model::state::Row;
use model::{Group, InstanceProfile, ManagedPolicy, Role, Tags, Timestamp, User};

use super::error::{already_exists, no_such_entity, validation};
use crate::{Error, Transaction};

/// A noun of IAM.
pub(super) trait Entity: Row<Key = String> + 'static {
    /// The noun as ARNs have it.
    const NOUN: &'static str;
    /// The parameter of the name, as messages have it.
    const PARAMETER: &'static str;
    /// What unique ids begin with.
    const PREFIX: &'static str;
    /// The longest name.
    const NAME_MAX: usize;

    /// Its name and its path.
    fn place(&self) -> (&str, &str);
    /// Its tags.
    fn tags(&self) -> &Tags;
    /// Its tags, to be changed.
    fn tags_mut(&mut self) -> &mut Tags;
    /// The message for a name that is not there.
    fn absent(name: &str) -> String;
    /// The message for a name that is there already.
    fn present(name: &str) -> String;
}

macro_rules! entities {
    ($($row:ty: $noun:literal, $parameter:literal, $prefix:literal, $max:literal, $absent:literal, $present:literal;)*) => {
        $(
            impl Entity for $row {
                const NOUN: &'static str = $noun;
                const PARAMETER: &'static str = $parameter;
                const PREFIX: &'static str = $prefix;
                const NAME_MAX: usize = $max;
                fn place(&self) -> (&str, &str) {
                    (&self.name, &self.path)
                }
                fn tags(&self) -> &Tags {
                    &self.tags
                }
                fn tags_mut(&mut self) -> &mut Tags {
                    &mut self.tags
                }
                fn absent(name: &str) -> String {
                    format!($absent, name)
                }
                fn present(name: &str) -> String {
                    format!($present, name)
                }
            }
        )*
    };
}

entities! {
    Role: "role", "roleName", "AROA", 64,
        "The role with name {} cannot be found.",
        "Role with name {} already exists.";
    User: "user", "userName", "AIDA", 64,
        "The user with name {} cannot be found.",
        "User with name {} already exists.";
    Group: "group", "groupName", "AGPA", 128,
        "The group with name {} cannot be found.",
        "Group with name {} already exists.";
    ManagedPolicy: "policy", "policyName", "ANPA", 128,
        "Policy {} was not found.",
        "A policy called {} already exists. Duplicate names are not allowed.";
    InstanceProfile: "instance-profile", "instanceProfileName", "AIPA", 128,
        "Instance Profile {} cannot be found.",
        "Instance Profile {} already exists.";
}

/// The key of a name's row: case does not count.
pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The row of a name.
pub(super) fn find<'t, E: Entity>(
    tx: &'t Transaction<'_>,
    name: &Option<String>,
) -> Result<&'t E, Error> {
    let name = check_name(name, E::PARAMETER, E::NAME_MAX)?;
    E::table(tx.state())
        .get(&key(name))
        .ok_or_else(|| no_such_entity(E::absent(name)))
}

/// Puts a row back.
pub(super) fn put<E: Entity>(tx: &mut Transaction<'_>, row: E) {
    let key = key(row.place().0);
    tx.put(key, row);
}

/// The name, path and id of a row that is to be created.
pub(super) fn create<E: Entity>(
    tx: &mut Transaction<'_>,
    name: &Option<String>,
    path: &Option<String>,
) -> Result<(String, String, String), Error> {
    let name = check_name(name, E::PARAMETER, E::NAME_MAX)?.to_owned();
    let path = check_path(path.as_deref().unwrap_or("/"))?.to_owned();
    if E::table(tx.state()).get(&key(&name)).is_some() {
        return Err(already_exists(E::present(&name)));
    }
    let id = unique_id(E::PREFIX, tx.random());
    Ok((name, path, id))
}

/// The ARN of a row.
pub(super) fn arn<E: Entity>(tx: &Transaction<'_>, row: &E) -> String {
    let (name, path) = row.place();
    format!(
        "arn:aws:iam::{}:{}{path}{name}",
        tx.scope().account,
        E::NOUN
    )
}

/// A time as IAM prints it, to the second.
pub(super) fn iso8601(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    format!("{seconds}Z")
}

/// A name of letters, digits and `_+=,.@-`.
pub(super) fn check_name<'a>(
    name: &'a Option<String>,
    parameter: &str,
    max: usize,
) -> Result<&'a str, Error> {
    let name = name.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Err(validation(format!(
            "1 validation error detected: Value '' at '{parameter}' failed to satisfy constraint: Member must have length greater than or equal to 1"
        )));
    }
    if name.len() > max {
        return Err(validation(format!(
            "1 validation error detected: Value '{name}' at '{parameter}' failed to satisfy constraint: Member must have length less than or equal to {max}"
        )));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if !name.bytes().all(allowed) {
        return Err(validation(format!(
            "The specified value for {parameter} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )));
    }
    Ok(name)
}

/// A path: `/`, or text between two of them.
pub(super) fn check_path(path: &str) -> Result<&str, Error> {
    let allowed = path.bytes().all(|b| (0x21..=0x7f).contains(&b));
    if !allowed || path.len() > 512 || !path.starts_with('/') || !path.ends_with('/') {
        return Err(validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ));
    }
    Ok(path)
}

/// A prefix and seventeen capital letters and digits.
fn unique_id(prefix: &str, random: u128) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |n: usize| char::from(LETTERS[(random >> (5 * n)) as usize % LETTERS.len()]);
    let letters: String = (0..17).map(letter).collect();
    format!("{prefix}{letters}")
}
