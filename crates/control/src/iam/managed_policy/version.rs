//! Versions of managed policies: at most five, one of which is in force (IAM User Guide, "Versioning IAM policies").

use iam_api::{
    CreatePolicyVersionRequest, CreatePolicyVersionResponse, DeletePolicyVersionRequest,
    DeletePolicyVersionResponse, GetPolicyVersionRequest, GetPolicyVersionResponse,
    ListPolicyVersionsRequest, ListPolicyVersionsResponse, PolicyVersion,
    SetDefaultPolicyVersionRequest, SetDefaultPolicyVersionResponse,
};
use model::{ManagedPolicy, ManagedPolicyVersion};

use super::{check_document, find};
use crate::iam::error::{delete_conflict, no_such_entity, validation};
use crate::iam::marker::{self, Listed};
use crate::iam::{document, entity};
use crate::{Error, Transaction};

const VERSIONS_MAX: usize = 5;

pub(crate) fn create_policy_version(
    tx: &mut Transaction<'_>,
    request: &CreatePolicyVersionRequest,
) -> Result<CreatePolicyVersionResponse, Error> {
    let mut policy = find(tx, &request.policy_arn)?.clone();
    let document = check_document(&request.policy_document)?;
    if policy.versions.len() >= VERSIONS_MAX {
        return Err(Error::new(
            "LimitExceeded",
            format!(
                "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must delete an existing version."
            ),
        ));
    }
    let number = policy.next_version;
    let created = tx.now();
    policy.next_version += 1;
    policy
        .versions
        .insert(number, ManagedPolicyVersion { document, created });
    policy.updated = created;
    if request.set_as_default == Some(true) {
        policy.default_version = number;
    }
    let shown = PolicyVersion {
        document: None,
        ..shape(&policy, number)
    };
    entity::put(tx, policy);
    Ok(CreatePolicyVersionResponse {
        policy_version: Some(shown),
    })
}

pub(crate) fn get_policy_version(
    tx: &mut Transaction<'_>,
    request: &GetPolicyVersionRequest,
) -> Result<GetPolicyVersionResponse, Error> {
    let policy = find(tx, &request.policy_arn)?;
    let number = number(policy, &request.version_id, &request.policy_arn)?;
    Ok(GetPolicyVersionResponse {
        policy_version: Some(shape(policy, number)),
    })
}

/// The newest first, without their documents.
pub(crate) fn list_policy_versions(
    tx: &mut Transaction<'_>,
    request: &ListPolicyVersionsRequest,
) -> Result<ListPolicyVersionsResponse, Error> {
    let policy = find(tx, &request.policy_arn)?;
    let newest_first = policy.versions.keys().rev().copied();
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        newest_first,
        // The keys of a page grow.
        |number| format!("{:010}", u32::MAX - number),
        request.max_items,
        &request.marker,
    )?;
    let listed = |number| PolicyVersion {
        document: None,
        ..shape(policy, number)
    };
    Ok(ListPolicyVersionsResponse {
        versions: rows.into_iter().map(listed).collect(),
        is_truncated,
        marker,
    })
}

pub(crate) fn delete_policy_version(
    tx: &mut Transaction<'_>,
    request: &DeletePolicyVersionRequest,
) -> Result<DeletePolicyVersionResponse, Error> {
    let mut policy = find(tx, &request.policy_arn)?.clone();
    let number = number(&policy, &request.version_id, &request.policy_arn)?;
    if number == policy.default_version {
        return Err(delete_conflict(
            "Cannot delete the default version of a policy.",
        ));
    }
    policy.versions.remove(&number);
    policy.updated = tx.now();
    entity::put(tx, policy);
    Ok(DeletePolicyVersionResponse {})
}

pub(crate) fn set_default_policy_version(
    tx: &mut Transaction<'_>,
    request: &SetDefaultPolicyVersionRequest,
) -> Result<SetDefaultPolicyVersionResponse, Error> {
    let mut policy = find(tx, &request.policy_arn)?.clone();
    policy.default_version = number(&policy, &request.version_id, &request.policy_arn)?;
    policy.updated = tx.now();
    entity::put(tx, policy);
    Ok(SetDefaultPolicyVersionResponse {})
}

/// The number of a version that is there.
fn number(
    policy: &ManagedPolicy,
    version: &Option<String>,
    arn: &Option<String>,
) -> Result<u32, Error> {
    let text = version.as_deref().unwrap_or_default();
    let digits = text
        .strip_prefix('v')
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'));
    let number = digits.and_then(|digits| digits.parse().ok());
    let number: u32 = number.ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value '{text}' at 'versionId' failed to satisfy constraint: Member must satisfy regular expression pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"
        ))
    })?;
    if !policy.versions.contains_key(&number) {
        let arn = arn.as_deref().unwrap_or_default();
        return Err(no_such_entity(format!(
            "Policy {arn} version {text} does not exist or is not attachable."
        )));
    }
    Ok(number)
}

fn shape(policy: &ManagedPolicy, number: u32) -> PolicyVersion {
    let version = policy.versions.get(&number);
    PolicyVersion {
        document: version.map(|version| document::encode(&version.document)),
        version_id: Some(format!("v{number}")),
        is_default_version: Some(number == policy.default_version),
        create_date: version.map(|version| entity::iso8601(version.created)),
    }
}
