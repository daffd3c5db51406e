//! Managed policies of customers, and the names of AWS's own (IAM User Guide, "Managed policies and inline policies",
//! "Versioning IAM policies").

mod version;

use iam_api::{
    CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, DeletePolicyResponse,
    GetPolicyRequest, GetPolicyResponse, ListEntitiesForPolicyRequest,
    ListEntitiesForPolicyResponse, ListPoliciesRequest, ListPoliciesResponse, Policy, PolicyGroup,
    PolicyRole, PolicyUser,
};
use model::{Group, ManagedPolicy, ManagedPolicyVersion, Role, User};

use super::error::{delete_conflict, no_such_entity, one_of};
use super::marker::{self, Listed};
use super::{document, entity, role, tag};
use crate::{Error, Transaction};

pub(crate) use version::{
    create_policy_version, delete_policy_version, get_policy_version, list_policy_versions,
    set_default_policy_version,
};

/// Characters of a managed policy.
const POLICY_MAX: usize = 6144;

/// What ARNs of AWS's own policies begin with. Weir knows that they can be attached, and not what they say.
const OF_AWS: &str = "arn:aws:iam::aws:policy/";

pub(crate) fn create_policy(
    tx: &mut Transaction<'_>,
    request: &CreatePolicyRequest,
) -> Result<CreatePolicyResponse, Error> {
    let (name, path, id) =
        entity::create::<ManagedPolicy>(tx, &request.policy_name, &request.path)?;
    let version = ManagedPolicyVersion {
        document: check_document(&request.policy_document)?,
        created: tx.now(),
    };
    let policy = ManagedPolicy {
        name,
        path,
        id,
        description: role::description(&request.description)?,
        versions: [(1, version)].into(),
        default_version: 1,
        next_version: 2,
        created: tx.now(),
        updated: tx.now(),
        tags: tag::given(tx, &request.tags)?,
    };
    tx.quotas()
        .managed_policies(tx.state().managed_policies.len())?;
    let shown = shape(tx, &policy);
    entity::put(tx, policy);
    Ok(CreatePolicyResponse {
        policy: Some(shown),
    })
}

pub(crate) fn get_policy(
    tx: &mut Transaction<'_>,
    request: &GetPolicyRequest,
) -> Result<GetPolicyResponse, Error> {
    let policy = find(tx, &request.policy_arn)?;
    Ok(GetPolicyResponse {
        policy: Some(shape(tx, policy)),
    })
}

const USAGES: &[&str] = &["PermissionsPolicy", "PermissionsBoundary"];
const ENTITIES: &[&str] = &[
    "User",
    "Role",
    "Group",
    "LocalManagedPolicy",
    "AWSManagedPolicy",
];

/// AWS's own policies are not listed: Weir does not know which there are.
pub(crate) fn list_policies(
    tx: &mut Transaction<'_>,
    request: &ListPoliciesRequest,
) -> Result<ListPoliciesResponse, Error> {
    one_of(&request.scope, "scope", &["All", "AWS", "Local"])?;
    one_of(&request.policy_usage_filter, "policyUsageFilter", USAGES)?;
    let boundaries = request.policy_usage_filter.as_deref() == Some("PermissionsBoundary");
    let nobodys = boundaries || request.scope.as_deref() == Some("AWS");
    let only_attached = request.only_attached == Some(true);
    let is_attached =
        |policy: &ManagedPolicy| holders_of(tx, &entity::arn(tx, policy)).next().is_some();
    let wanted = |policy: &&ManagedPolicy| !nobodys && (!only_attached || is_attached(policy));
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        marker::under::<ManagedPolicy>(tx, &request.path_prefix)?.filter(wanted),
        |policy| entity::key(&policy.name),
        request.max_items,
        &request.marker,
    )?;
    // "This operation does not return the following attributes": tags and description among them.
    let listed = |policy: &ManagedPolicy| Policy {
        tags: Vec::new(),
        description: None,
        ..shape(tx, policy)
    };
    Ok(ListPoliciesResponse {
        policies: rows.into_iter().map(listed).collect(),
        is_truncated,
        marker,
    })
}

pub(crate) fn delete_policy(
    tx: &mut Transaction<'_>,
    request: &DeletePolicyRequest,
) -> Result<DeletePolicyResponse, Error> {
    let policy = find(tx, &request.policy_arn)?;
    if holders_of(tx, &entity::arn(tx, policy)).next().is_some() {
        return Err(delete_conflict(
            "Cannot delete a policy attached to entities.",
        ));
    }
    if policy.versions.len() > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    tx.delete::<ManagedPolicy>(entity::key(&policy.name));
    Ok(DeletePolicyResponse {})
}

pub(crate) fn list_entities_for_policy(
    tx: &mut Transaction<'_>,
    request: &ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse, Error> {
    let arn = attachable(tx, &request.policy_arn)?;
    let prefix = marker::path_prefix(&request.path_prefix)?;
    one_of(&request.entity_filter, "entityFilter", ENTITIES)?;
    one_of(&request.policy_usage_filter, "policyUsageFilter", USAGES)?;
    let wanted = request.entity_filter.as_deref();
    let is_wanted = |holder: &Attached<'_>| {
        // Policies are attached to no policies, which are the other words.
        wanted.is_none_or(|kind| kind == format!("{:?}", holder.kind))
            && holder.path.starts_with(prefix)
    };
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        holders_of(tx, &arn).filter(is_wanted),
        |holder| format!("{:?}/{}", holder.kind, entity::key(holder.name)),
        request.max_items,
        &request.marker,
    )?;
    let mut response = ListEntitiesForPolicyResponse {
        is_truncated,
        marker,
        ..Default::default()
    };
    for holder in rows {
        let (name, id) = (Some(holder.name.to_owned()), Some(holder.id.to_owned()));
        match holder.kind {
            Kind::Group => response.policy_groups.push(PolicyGroup {
                group_name: name,
                group_id: id,
            }),
            Kind::Role => response.policy_roles.push(PolicyRole {
                role_name: name,
                role_id: id,
            }),
            Kind::User => response.policy_users.push(PolicyUser {
                user_name: name,
                user_id: id,
            }),
        }
    }
    Ok(response)
}

/// The customer's policy of an ARN.
pub(super) fn find<'t>(
    tx: &'t Transaction<'_>,
    arn: &Option<String>,
) -> Result<&'t ManagedPolicy, Error> {
    let arn = check_arn(arn)?;
    let row = tx.state().managed_policies.get(&entity::key(place(arn).1));
    row.filter(|policy| entity::arn(tx, *policy) == arn)
        .ok_or_else(|| no_such_entity(format!("Policy {arn} was not found.")))
}

/// The ARN of a policy that can be attached: one of the account's, or any of AWS's own.
pub(super) fn attachable(tx: &Transaction<'_>, arn: &Option<String>) -> Result<String, Error> {
    let text = check_arn(arn)?;
    if !text.starts_with(OF_AWS) {
        find(tx, arn).map_err(|_| {
            no_such_entity(format!(
                "Policy {text} does not exist or is not attachable."
            ))
        })?;
    }
    Ok(text.to_owned())
}

/// An ARN of a policy, whether there is one or not.
pub(super) fn check_arn(arn: &Option<String>) -> Result<&str, Error> {
    let text = arn.as_deref().unwrap_or_default();
    let rest = text.strip_prefix("arn:aws:iam::");
    let owner = rest
        .and_then(|rest| rest.split_once(":policy/"))
        .filter(|(_, name)| !name.is_empty() && !name.ends_with('/'))
        .map(|(owner, _)| owner);
    let is_account = |owner: &str| owner.len() == 12 && owner.bytes().all(|b| b.is_ascii_digit());
    if !owner.is_some_and(|owner| owner == "aws" || is_account(owner)) {
        return Err(Error::new(
            "InvalidInput",
            format!("ARN {text} is not valid."),
        ));
    }
    Ok(text)
}

/// The path and the name in an ARN of a policy.
pub(super) fn place(arn: &str) -> (&str, &str) {
    let place = arn.split_once(":policy").map_or("", |(_, place)| place);
    let name = place.rfind('/').map_or(0, |slash| slash + 1);
    place.split_at(name)
}

/// Whom a policy is attached to.
struct Attached<'t> {
    kind: Kind,
    name: &'t str,
    path: &'t str,
    id: &'t str,
}

/// What kind of entity has a policy, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Group,
    Role,
    User,
}

/// The groups, roles and users that a policy is attached to.
fn holders_of<'t>(tx: &'t Transaction<'_>, arn: &str) -> impl Iterator<Item = Attached<'t>> {
    macro_rules! of {
        ($row:ident) => {{
            let arn = arn.to_owned();
            tx.rows::<$row>()
                .filter(move |row| row.attached_policies.contains(&arn))
                .map(|row| Attached {
                    kind: Kind::$row,
                    name: &row.name,
                    path: &row.path,
                    id: &row.id,
                })
        }};
    }
    of!(Group).chain(of!(Role)).chain(of!(User))
}

fn check_document(text: &Option<String>) -> Result<String, Error> {
    document::check(text, policy::Kind::Identity, "PolicySize", POLICY_MAX)
}

fn shape(tx: &Transaction<'_>, policy: &ManagedPolicy) -> Policy {
    let arn = entity::arn(tx, policy);
    let attached = i32::try_from(holders_of(tx, &arn).count()).ok();
    Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(arn),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: attached,
        permissions_boundary_usage_count: Some(0),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(entity::iso8601(policy.created)),
        update_date: Some(entity::iso8601(policy.updated)),
        tags: tag::shapes(&policy.tags),
    }
}
