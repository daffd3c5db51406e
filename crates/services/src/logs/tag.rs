//! Tags of log groups: by ARN, and by name in the older calls.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{constraint, group_name, group_of_arn, required};
use super::store::{Logs, LogsError, Scope, find_group};

const MAXIMUM_TAGS: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ResourceInput {
    resource_arn: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    tag_keys: Option<Vec<String>>,
}

/// In the older calls `tags` is a map to tag and a list to untag.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TagLogGroupInput {
    log_group_name: Option<String>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UntagLogGroupInput {
    log_group_name: Option<String>,
    tags: Option<Vec<String>>,
}

/// Checks keys and values ("TagResource").
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), LogsError> {
    let allowed = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
    };
    if tags.len() > MAXIMUM_TAGS {
        return Err(LogsError::TooManyTags);
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || !allowed(key) {
            let rule = "Member must satisfy regular expression pattern: \
                        ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)$ and have length 1 to 128";
            return Err(constraint(key, "tags", rule));
        }
        if value.chars().count() > 256 || !allowed(value) {
            let rule = "Member must satisfy regular expression pattern: \
                        ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$ and have length 0 to 256";
            return Err(constraint(value, "tags", rule));
        }
    }
    Ok(())
}

/// Tags or keys that have to be there, one at least.
fn some<'a, T>(
    given: Option<&'a T>,
    member: &str,
    is_empty: impl Fn(&T) -> bool,
) -> Result<&'a T, LogsError> {
    let given = required(given, member)?;
    if is_empty(given) {
        let rule = "Member must have length greater than or equal to 1";
        return Err(constraint("[]", member, rule));
    }
    Ok(given)
}

impl ResourceInput {
    fn group(&self, scope: &Scope) -> Result<String, LogsError> {
        group_of_arn(
            scope,
            self.resource_arn.as_deref().unwrap_or_default(),
            "resourceArn",
        )
    }
}

impl Logs {
    pub(crate) fn tag_resource(
        &self,
        scope: &Scope,
        input: &ResourceInput,
    ) -> Result<Option<Value>, LogsError> {
        let tags = some(input.tags.as_ref(), "tags", BTreeMap::is_empty)?;
        self.tag(scope, &input.group(scope)?, tags)
    }

    pub(crate) fn untag_resource(
        &self,
        scope: &Scope,
        input: &ResourceInput,
    ) -> Result<Option<Value>, LogsError> {
        let keys = some(input.tag_keys.as_ref(), "tagKeys", Vec::is_empty)?;
        if keys.len() > MAXIMUM_TAGS {
            let rule = "Member must have length less than or equal to 50";
            return Err(constraint("[…]", "tagKeys", rule));
        }
        self.untag(scope, &input.group(scope)?, keys)
    }

    pub(crate) fn list_tags_for_resource(
        &self,
        scope: &Scope,
        input: &ResourceInput,
    ) -> Result<Option<Value>, LogsError> {
        self.tags(scope, &input.group(scope)?)
    }

    pub(crate) fn tag_log_group(
        &self,
        scope: &Scope,
        input: &TagLogGroupInput,
    ) -> Result<Option<Value>, LogsError> {
        let tags = some(input.tags.as_ref(), "tags", BTreeMap::is_empty)?;
        self.tag(scope, group_name(input.log_group_name.as_deref())?, tags)
    }

    pub(crate) fn untag_log_group(
        &self,
        scope: &Scope,
        input: &UntagLogGroupInput,
    ) -> Result<Option<Value>, LogsError> {
        let keys = some(input.tags.as_ref(), "tags", Vec::is_empty)?;
        self.untag(scope, group_name(input.log_group_name.as_deref())?, keys)
    }

    pub(crate) fn list_tags_log_group(
        &self,
        scope: &Scope,
        input: &TagLogGroupInput,
    ) -> Result<Option<Value>, LogsError> {
        self.tags(scope, group_name(input.log_group_name.as_deref())?)
    }

    fn tag(
        &self,
        scope: &Scope,
        group: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<Option<Value>, LogsError> {
        check_tags(tags)?;
        self.write(|transaction| {
            let group = find_group(transaction, scope, group)?;
            for (key, value) in tags {
                transaction.execute(
                    "INSERT OR REPLACE INTO tag (log_group, key, value) VALUES (?1, ?2, ?3)",
                    params![group.id, key, value],
                )?;
            }
            let count: i64 = transaction.query_row(
                "SELECT COUNT(*) FROM tag WHERE log_group = ?1",
                [group.id],
                |row| row.get(0),
            )?;
            if usize::try_from(count).unwrap_or(usize::MAX) > MAXIMUM_TAGS {
                return Err(LogsError::TooManyTags);
            }
            Ok(None)
        })
    }

    fn untag(
        &self,
        scope: &Scope,
        group: &str,
        keys: &[String],
    ) -> Result<Option<Value>, LogsError> {
        self.write(|transaction| {
            let group = find_group(transaction, scope, group)?;
            for key in keys {
                transaction.execute(
                    "DELETE FROM tag WHERE log_group = ?1 AND key = ?2",
                    params![group.id, key],
                )?;
            }
            Ok(None)
        })
    }

    fn tags(&self, scope: &Scope, group: &str) -> Result<Option<Value>, LogsError> {
        let connection = self.connection();
        let group = find_group(&connection, scope, group)?;
        let tags: BTreeMap<String, String> = connection
            .prepare_cached("SELECT key, value FROM tag WHERE log_group = ?1")?
            .query_map([group.id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        Ok(Some(json!({ "tags": tags })))
    }
}
