//! Tags of delivery streams.

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Call;
use super::input::{constraint, number, required, stream_name, text};
use super::store::{Firehose, FirehoseError, find};

const TAGS_MAX: usize = 50;
/// A tag; one without a value has an empty one.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: Option<String>,
    value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct TagInput {
    delivery_stream_name: Option<String>,
    tags: Option<Vec<Tag>>,
    tag_keys: Option<Vec<String>>,
    exclusive_start_tag_key: Option<String>,
    limit: Option<i64>,
}

/// Checks keys and values ("Tag").
pub(crate) fn check_tags(tags: &[Tag]) -> Result<(), FirehoseError> {
    if tags.len() > TAGS_MAX {
        return Err(constraint(
            &format!("[{} tags]", tags.len()),
            "tags",
            "Member must have length less than or equal to 50",
        ));
    }
    for (index, tag) in tags.iter().enumerate() {
        let member = |name: &str| format!("tags.{}.member.{name}", index + 1);
        let key = required(tag.key.as_deref(), &member("key"))?;
        check_key(key, &member("key"))?;
        let value = tag.value.as_deref().unwrap_or_default();
        let pattern = "^[\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@%]*$";
        text(value, &member("value"), (0, 256), pattern, is_allowed)?;
        if tags[..index]
            .iter()
            .any(|other| other.key.as_deref() == Some(key))
        {
            return Err(FirehoseError::invalid(format!(
                "The tag key {key} is given twice."
            )));
        }
    }
    Ok(())
}

fn check_key(key: &str, member: &str) -> Result<(), FirehoseError> {
    let pattern = "^(?!aws:)[\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@%]*$";
    text(key, member, (1, 128), pattern, |key| {
        !key.starts_with("aws:") && is_allowed(key)
    })?;
    Ok(())
}

fn is_allowed(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@%".contains(c);
    text.chars().all(allowed)
}

/// Adds tags to a stream, or gives known keys new values.
pub(crate) fn put_tags(
    transaction: &Transaction<'_>,
    stream: i64,
    tags: &[Tag],
) -> Result<(), FirehoseError> {
    for tag in tags {
        transaction.execute(
            "INSERT OR REPLACE INTO tag (stream, key, value) VALUES (?1, ?2, ?3)",
            params![stream, tag.key, tag.value.as_deref().unwrap_or_default()],
        )?;
    }
    let count: i64 = transaction.query_row(
        "SELECT COUNT(*) FROM tag WHERE stream = ?1",
        [stream],
        |row| row.get(0),
    )?;
    if usize::try_from(count).unwrap_or(usize::MAX) > TAGS_MAX {
        return Err(FirehoseError::LimitExceeded(format!(
            "A Firehose can have no more than {TAGS_MAX} tags."
        )));
    }
    Ok(())
}

impl Firehose {
    pub(crate) fn tag_delivery_stream(
        &self,
        call: &Call<'_>,
        input: &TagInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        let tags = required(input.tags.as_deref(), "tags")?;
        if tags.is_empty() {
            let rule = "Member must have length greater than or equal to 1";
            return Err(constraint("[]", "tags", rule));
        }
        check_tags(tags)?;
        self.lock().write(|transaction| {
            let stream = find(transaction, call.scope, name, call.now)?;
            stream.active(call.now)?;
            put_tags(transaction, stream.id, tags)?;
            Ok(Some(json!({})))
        })
    }

    pub(crate) fn untag_delivery_stream(
        &self,
        call: &Call<'_>,
        input: &TagInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        let keys = required(input.tag_keys.as_deref(), "tagKeys")?;
        if keys.is_empty() || keys.len() > TAGS_MAX {
            let rule = "Member must have length between 1 and 50";
            return Err(constraint(
                &format!("[{} keys]", keys.len()),
                "tagKeys",
                rule,
            ));
        }
        for (index, key) in keys.iter().enumerate() {
            check_key(key, &format!("tagKeys.{}.member", index + 1))?;
        }
        self.lock().write(|transaction| {
            let stream = find(transaction, call.scope, name, call.now)?;
            stream.active(call.now)?;
            for key in keys {
                transaction.execute(
                    "DELETE FROM tag WHERE stream = ?1 AND key = ?2",
                    params![stream.id, key],
                )?;
            }
            Ok(Some(json!({})))
        })
    }

    pub(crate) fn list_tags(
        &self,
        call: &Call<'_>,
        input: &TagInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        let limit = number(input.limit, "limit", (1, 50), 50)?;
        let start = input.exclusive_start_tag_key.as_deref().unwrap_or_default();
        let state = self.lock();
        let stream = find(&state.connection, call.scope, name, call.now)?;
        let mut tags: Vec<Tag> = state
            .connection
            .prepare_cached(
                "SELECT key, value FROM tag WHERE stream = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            )?
            .query_map(params![stream.id, start, limit + 1], |row| {
                Ok(Tag {
                    key: row.get(0)?,
                    value: row.get(1)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = tags.len() > limit;
        tags.truncate(limit);
        Ok(Some(json!({ "Tags": tags, "HasMoreTags": more })))
    }
}
