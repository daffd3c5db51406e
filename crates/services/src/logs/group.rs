//! Log groups and their retention.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{bad_token, constraint, group_name, group_of, group_text, length, limit};
use super::store::{Logs, LogsError, Scope, find_group};
use super::tag::check_tags;

/// The periods that PutRetentionPolicy accepts, in days.
const RETENTION_DAYS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CreateLogGroupInput {
    log_group_name: Option<String>,
    kms_key_id: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LogGroupInput {
    log_group_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PutRetentionPolicyInput {
    log_group_name: Option<String>,
    retention_in_days: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DescribeLogGroupsInput {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    limit: Option<i64>,
    next_token: Option<String>,
}

fn check_class(class: &str) -> Result<(), LogsError> {
    if ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"].contains(&class) {
        return Ok(());
    }
    let rule = "Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY]";
    Err(constraint(class, "logGroupClass", rule))
}

impl Logs {
    pub(crate) fn create_log_group(
        &self,
        scope: &Scope,
        input: &CreateLogGroupInput,
        now: i64,
    ) -> Result<Option<Value>, LogsError> {
        let name = group_name(input.log_group_name.as_deref())?;
        if name.starts_with("aws/") {
            return Err(LogsError::InvalidParameter(
                "Log groups starting with aws/ are reserved for AWS.".to_owned(),
            ));
        }
        let class = input.log_group_class.as_deref().unwrap_or("STANDARD");
        check_class(class)?;
        if let Some(key) = &input.kms_key_id {
            length(key, "kmsKeyId", 256)?;
        }
        let no_tags = BTreeMap::new();
        let tags = input.tags.as_ref().unwrap_or(&no_tags);
        check_tags(tags)?;
        self.write(|transaction| {
            let inserted = transaction.execute(
                "INSERT INTO log_group (account, region, name, created, kms_key, class, protected)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                params![
                    scope.account,
                    scope.region,
                    name,
                    now,
                    input.kms_key_id,
                    class,
                    input.deletion_protection_enabled.unwrap_or(false)
                ],
            )?;
            if inserted == 0 {
                return Err(LogsError::ResourceAlreadyExists(
                    "The specified log group already exists",
                ));
            }
            let group = transaction.last_insert_rowid();
            for (key, value) in tags {
                transaction.execute(
                    "INSERT INTO tag (log_group, key, value) VALUES (?1, ?2, ?3)",
                    params![group, key, value],
                )?;
            }
            Ok(None)
        })
    }

    pub(crate) fn delete_log_group(
        &self,
        scope: &Scope,
        input: &LogGroupInput,
    ) -> Result<Option<Value>, LogsError> {
        let name = group_name(input.log_group_name.as_deref())?;
        self.write(|transaction| {
            let group = find_group(transaction, scope, name)?;
            if group.protected {
                return Err(LogsError::Validation(
                    "The log group has deletion protection enabled and cannot be deleted.",
                ));
            }
            // Without these the cascades would look for each stream's events one by one.
            transaction.execute("DELETE FROM event WHERE log_group = ?1", [group.id])?;
            transaction.execute("DELETE FROM log_group WHERE id = ?1", [group.id])?;
            Ok(None)
        })
    }

    pub(crate) fn describe_log_groups(
        &self,
        scope: &Scope,
        input: &DescribeLogGroupsInput,
    ) -> Result<Option<Value>, LogsError> {
        let limit = limit(input.limit, 50)?;
        let prefix = input.log_group_name_prefix.as_deref();
        let pattern = input.log_group_name_pattern.as_deref();
        if prefix.is_some() && pattern.is_some() {
            return Err(LogsError::InvalidParameter(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
                    .to_owned(),
            ));
        }
        if let Some(class) = &input.log_group_class {
            check_class(class)?;
        }
        if let Some(prefix) = prefix {
            group_text(prefix, "logGroupNamePrefix")?;
        }
        let identifiers = input.log_group_identifiers.as_ref();
        let identifiers: Option<Vec<String>> = identifiers
            .map(|list| {
                list.iter()
                    .map(|one| group_of(scope, None, Some(one)))
                    .collect()
            })
            .transpose()?;
        let after = match &input.next_token {
            Some(token) => token.strip_prefix("g1:").ok_or_else(bad_token)?,
            None => "",
        };
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT name, created, retention, stored, kms_key, class, protected FROM log_group
             WHERE account = ?1 AND region = ?2 AND name > ?3 AND (?4 IS NULL
               OR substr(name, 1, length(?4)) = ?4)
               AND (?5 IS NULL OR instr(name, ?5) > 0) AND (?6 IS NULL OR class = ?6)
             ORDER BY name",
        )?;
        let class = input.log_group_class.as_deref();
        let Scope { account, region } = scope;
        let mut rows = statement.query(params![account, region, after, prefix, pattern, class])?;
        let mut groups = Vec::new();
        let mut last = String::new();
        let mut more = false;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if identifiers
                .as_ref()
                .is_some_and(|wanted| !wanted.contains(&name))
            {
                continue;
            }
            if groups.len() == limit {
                more = true;
                break;
            }
            groups.push(description(scope, &name, row)?);
            last = name;
        }
        let mut output = json!({ "logGroups": groups });
        if more {
            output["nextToken"] = format!("g1:{last}").into();
        }
        Ok(Some(output))
    }

    pub(crate) fn put_retention_policy(
        &self,
        scope: &Scope,
        input: &PutRetentionPolicyInput,
    ) -> Result<Option<Value>, LogsError> {
        let days = input.retention_in_days.unwrap_or_default();
        if !RETENTION_DAYS.contains(&days) {
            let values = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
            return Err(constraint(
                &days.to_string(),
                "retentionInDays",
                &format!("Member must satisfy enum value set: [{values}]"),
            ));
        }
        self.set_retention(scope, input.log_group_name.as_deref(), Some(days))
    }

    pub(crate) fn delete_retention_policy(
        &self,
        scope: &Scope,
        input: &LogGroupInput,
    ) -> Result<Option<Value>, LogsError> {
        self.set_retention(scope, input.log_group_name.as_deref(), None)
    }

    fn set_retention(
        &self,
        scope: &Scope,
        name: Option<&str>,
        days: Option<i64>,
    ) -> Result<Option<Value>, LogsError> {
        let name = group_name(name)?;
        self.write(|transaction| {
            let group = find_group(transaction, scope, name)?;
            transaction.execute(
                "UPDATE log_group SET retention = ?2 WHERE id = ?1",
                params![group.id, days],
            )?;
            Ok(None)
        })
    }
}

/// A group as DescribeLogGroups shows it.
fn description(scope: &Scope, name: &str, row: &Row<'_>) -> rusqlite::Result<Value> {
    let arn = scope.group_arn(name);
    let mut group = json!({
        "logGroupName": name,
        "creationTime": row.get::<_, i64>(1)?,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": row.get::<_, i64>(3)?,
        "logGroupClass": row.get::<_, String>(5)?,
        "deletionProtectionEnabled": row.get::<_, bool>(6)?,
    });
    if let Some(days) = row.get::<_, Option<i64>>(2)? {
        group["retentionInDays"] = days.into();
    }
    if let Some(key) = row.get::<_, Option<String>>(4)? {
        group["kmsKeyId"] = key.into();
    }
    Ok(group)
}
