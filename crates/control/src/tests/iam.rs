//! IAM: roles, managed policies, instance profiles.

use expect_test::expect;
use iam_api::*;

use super::{Fixture, text};

macro_rules! done {
    ($fixture:expr, $action:ident, $request:expr) => {
        match $fixture.call(&Request::from($request)) {
            Ok(Response::$action(response)) => *response,
            other => panic!("{other:?}"),
        }
    };
}

/// `Code, status: message` of a request that is refused.
fn refused(fixture: &mut Fixture, request: impl Into<Request>) -> String {
    let request = request.into();
    match fixture.call(&request) {
        Ok(response) => panic!("{request:?} succeeded with {response:?}"),
        Err(error) => format!("{} {}: {error}", error.code(), error.status()),
    }
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const DELIVER: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}"#;

fn create_role(name: &str) -> CreateRoleRequest {
    CreateRoleRequest {
        role_name: text(name),
        assume_role_policy_document: text(TRUST),
        ..Default::default()
    }
}

fn create_policy(name: &str) -> CreatePolicyRequest {
    CreatePolicyRequest {
        policy_name: text(name),
        policy_document: text(DELIVER),
        ..Default::default()
    }
}

fn get_role(name: &str) -> GetRoleRequest {
    GetRoleRequest {
        role_name: text(name),
    }
}

#[test]
fn a_role_is_made_found_in_any_case_and_deleted() {
    let mut fixture = Fixture::new();
    let request = CreateRoleRequest {
        path: text("/service/"),
        tags: vec![Tag {
            key: text("a"),
            value: text("b"),
        }],
        ..create_role("Flow-Logs")
    };
    let made = done!(fixture, CreateRole, request).role.unwrap();
    assert_eq!(
        made.arn.as_deref(),
        Some("arn:aws:iam::111122223333:role/service/Flow-Logs")
    );
    assert_eq!(made.create_date.as_deref(), Some("2024-05-01T10:00:00Z"));
    assert_eq!(made.role_id.as_ref().map(String::len), Some(21));
    let found = done!(fixture, GetRole, get_role("flow-logs")).role.unwrap();
    assert_eq!(found.role_name.as_deref(), Some("Flow-Logs"));
    let document = found.assume_role_policy_document.unwrap();
    assert!(document.starts_with("%7B%22Version%22%3A%222012-10-17%22%2C"));
    assert_eq!(
        refused(&mut fixture, create_role("FLOW-LOGS")),
        "EntityAlreadyExists 409: Role with name FLOW-LOGS already exists."
    );
    let gone = DeleteRoleRequest {
        role_name: text("Flow-Logs"),
    };
    done!(fixture, DeleteRole, gone.clone());
    assert_eq!(
        refused(&mut fixture, gone),
        "NoSuchEntity 404: The role with name Flow-Logs cannot be found."
    );
}

#[test]
fn a_role_goes_when_nothing_hangs_on_it() {
    let mut fixture = Fixture::new();
    done!(fixture, CreateRole, create_role("r"));
    let arn = done!(fixture, CreatePolicy, create_policy("p"))
        .policy
        .unwrap()
        .arn;
    let attach = AttachRolePolicyRequest {
        role_name: text("r"),
        policy_arn: arn.clone(),
    };
    done!(fixture, AttachRolePolicy, attach);
    let own = PutRolePolicyRequest {
        role_name: text("r"),
        policy_name: text("own"),
        policy_document: text(DELIVER),
    };
    done!(fixture, PutRolePolicy, own);
    let profile = text("i");
    let create = CreateInstanceProfileRequest {
        instance_profile_name: profile.clone(),
        ..Default::default()
    };
    done!(fixture, CreateInstanceProfile, create);
    let add = AddRoleToInstanceProfileRequest {
        instance_profile_name: profile.clone(),
        role_name: text("r"),
    };
    done!(fixture, AddRoleToInstanceProfile, add.clone());
    assert_eq!(
        refused(&mut fixture, add),
        "LimitExceeded 409: Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    );
    let delete = DeleteRoleRequest {
        role_name: text("r"),
    };
    let mut said = vec![refused(&mut fixture, delete.clone())];
    let remove = RemoveRoleFromInstanceProfileRequest {
        instance_profile_name: profile,
        role_name: text("r"),
    };
    done!(fixture, RemoveRoleFromInstanceProfile, remove);
    said.push(refused(&mut fixture, delete.clone()));
    let delete_policy = DeletePolicyRequest {
        policy_arn: arn.clone(),
    };
    said.push(refused(&mut fixture, delete_policy.clone()));
    let detach = DetachRolePolicyRequest {
        role_name: text("r"),
        policy_arn: arn,
    };
    done!(fixture, DetachRolePolicy, detach);
    done!(fixture, DeletePolicy, delete_policy);
    said.push(refused(&mut fixture, delete.clone()));
    let delete_own = DeleteRolePolicyRequest {
        role_name: text("r"),
        policy_name: text("own"),
    };
    done!(fixture, DeleteRolePolicy, delete_own);
    done!(fixture, DeleteRole, delete);
    expect![[r#"
        DeleteConflict 409: Cannot delete entity, must remove roles from instance profile first.
        DeleteConflict 409: Cannot delete entity, must detach all policies first.
        DeleteConflict 409: Cannot delete a policy attached to entities.
        DeleteConflict 409: Cannot delete entity, must delete policies first."#]]
    .assert_eq(&said.join("\n"));
    assert!(fixture.state().roles.is_empty() && fixture.state().managed_policies.is_empty());
}

#[test]
fn a_policy_has_five_versions_and_one_in_force() {
    let mut fixture = Fixture::new();
    let arn = done!(fixture, CreatePolicy, create_policy("p"))
        .policy
        .unwrap()
        .arn;
    let version = |is_default| CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: text(DELIVER),
        set_as_default: Some(is_default),
    };
    for is_default in [true, false, false, false] {
        done!(fixture, CreatePolicyVersion, version(is_default));
    }
    assert!(refused(&mut fixture, version(false)).starts_with("LimitExceeded 409: A managed"));
    let delete = |version| DeletePolicyVersionRequest {
        policy_arn: arn.clone(),
        version_id: text(version),
    };
    assert_eq!(
        refused(&mut fixture, delete("v2")),
        "DeleteConflict 409: Cannot delete the default version of a policy."
    );
    done!(fixture, DeletePolicyVersion, delete("v1"));
    done!(fixture, CreatePolicyVersion, version(false));
    let list = ListPolicyVersionsRequest {
        policy_arn: arn.clone(),
        max_items: Some(2),
        ..Default::default()
    };
    let page = done!(fixture, ListPolicyVersions, list.clone());
    let rest = ListPolicyVersionsRequest {
        marker: page.marker.clone(),
        max_items: None,
        ..list
    };
    let rest = done!(fixture, ListPolicyVersions, rest);
    let all = page.versions.iter().chain(&rest.versions);
    let all: Vec<_> = all.filter_map(|v| v.version_id.as_deref()).collect();
    assert_eq!(all, ["v6", "v5", "v4", "v3", "v2"]);
    assert_eq!(
        (page.is_truncated, rest.is_truncated),
        (Some(true), Some(false))
    );
    let get = GetPolicyRequest { policy_arn: arn };
    let policy = done!(fixture, GetPolicy, get).policy.unwrap();
    assert_eq!(policy.default_version_id.as_deref(), Some("v2"));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut fixture = Fixture::new();
    done!(fixture, CreateRole, create_role("r"));
    let named = |name: &str| create_role(name);
    let trusting = |document: &str| CreateRoleRequest {
        assume_role_policy_document: text(document),
        ..create_role("other")
    };
    let policy = |document: &str| PutRolePolicyRequest {
        role_name: text("r"),
        policy_name: text("p"),
        policy_document: text(document),
    };
    let attach = |arn: &str| AttachRolePolicyRequest {
        role_name: text("r"),
        policy_arn: text(arn),
    };
    let said = [
        refused(&mut fixture, named("a b")),
        refused(&mut fixture, named(&"a".repeat(65))),
        refused(&mut fixture, trusting("{")),
        refused(&mut fixture, trusting(DELIVER)),
        refused(
            &mut fixture,
            trusting(&TRUST.replace("\"Action\"", "\"Resource\":\"*\",\"Action\"")),
        ),
        refused(&mut fixture, policy(TRUST)),
        refused(&mut fixture, policy(&DELIVER.replace("logs:*", "logs"))),
        refused(
            &mut fixture,
            attach("arn:aws:iam::111122223333:policy/none"),
        ),
        refused(&mut fixture, attach("nonsense")),
    ];
    expect![[r#"
        ValidationError 400: The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-
        ValidationError 400: 1 validation error detected: Value 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64
        MalformedPolicyDocument 400: Syntax errors in policy.
        MalformedPolicyDocument 400: Missing required field Principal
        MalformedPolicyDocument 400: Has prohibited field Resource
        MalformedPolicyDocument 400: Policy document should not specify a principal.
        MalformedPolicyDocument 400: Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.
        NoSuchEntity 404: Policy arn:aws:iam::111122223333:policy/none does not exist or is not attachable.
        InvalidInput 400: ARN nonsense is not valid."#]]
    .assert_eq(&said.join("\n"));
    let of_aws = attach("arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM");
    done!(fixture, AttachRolePolicy, of_aws);
    let list = ListAttachedRolePoliciesRequest {
        role_name: text("r"),
        ..Default::default()
    };
    let attached = done!(fixture, ListAttachedRolePolicies, list).attached_policies;
    assert_eq!(
        attached[0].policy_name.as_deref(),
        Some("AmazonEC2RoleforSSM")
    );
}

fn create_user(name: &str) -> CreateUserRequest {
    CreateUserRequest {
        user_name: text(name),
        ..Default::default()
    }
}

#[test]
fn a_user_has_keys_policies_and_groups_and_goes_without_them() {
    let mut fixture = Fixture::new();
    let request = CreateUserRequest {
        path: text("/ops/"),
        ..create_user("Anna")
    };
    let made = done!(fixture, CreateUser, request).user.unwrap();
    assert_eq!(
        made.arn.as_deref(),
        Some("arn:aws:iam::111122223333:user/ops/Anna")
    );
    assert!(
        made.user_id
            .is_some_and(|id| id.starts_with("AIDA") && id.len() == 21)
    );
    let create_key = || CreateAccessKeyRequest {
        user_name: text("anna"),
    };
    let key = done!(fixture, CreateAccessKey, create_key())
        .access_key
        .unwrap();
    let (id, secret) = (key.access_key_id.unwrap(), key.secret_access_key.unwrap());
    assert_eq!((id.len(), secret.len()), (20, 40));
    let other = done!(fixture, CreateAccessKey, create_key())
        .access_key
        .unwrap();
    assert!(other.secret_access_key.as_ref() != Some(&secret));
    assert_eq!(
        refused(&mut fixture, create_key()),
        "LimitExceeded 409: Cannot exceed quota for AccessKeysPerUser: 2"
    );
    let delete_key = |id: &str| DeleteAccessKeyRequest {
        user_name: text("Anna"),
        access_key_id: text(id),
    };
    let delete_user = || DeleteUserRequest {
        user_name: text("Anna"),
    };
    assert_eq!(
        refused(&mut fixture, delete_user()),
        "DeleteConflict 409: Cannot delete entity, must delete access keys first."
    );
    // Keys are the user's, under another name too.
    let renamed = UpdateUserRequest {
        user_name: text("Anna"),
        new_user_name: text("Anne"),
        ..Default::default()
    };
    done!(fixture, UpdateUser, renamed);
    assert_eq!(
        refused(&mut fixture, delete_key(&id)),
        "NoSuchEntity 404: The user with name Anna cannot be found."
    );
    for id in [&id, other.access_key_id.as_ref().unwrap()] {
        let request = DeleteAccessKeyRequest {
            user_name: text("anne"),
            ..delete_key(id)
        };
        done!(fixture, DeleteAccessKey, request);
    }
    let group = CreateGroupRequest {
        group_name: text("ops"),
        ..Default::default()
    };
    done!(fixture, CreateGroup, group);
    let member = AddUserToGroupRequest {
        group_name: text("OPS"),
        user_name: text("anne"),
    };
    done!(fixture, AddUserToGroup, member);
    let delete_group = || DeleteGroupRequest {
        group_name: text("ops"),
    };
    let first = "DeleteConflict 409: Cannot delete entity, must remove users from group first.";
    assert_eq!(refused(&mut fixture, delete_group()), first);
    let delete_user = DeleteUserRequest {
        user_name: text("Anne"),
    };
    assert_eq!(refused(&mut fixture, delete_user.clone()), first);
    let left = RemoveUserFromGroupRequest {
        group_name: text("ops"),
        user_name: text("anne"),
    };
    done!(fixture, RemoveUserFromGroup, left);
    let put = PutUserPolicyRequest {
        user_name: text("Anne"),
        policy_name: text("p"),
        policy_document: text(DELIVER),
    };
    done!(fixture, PutUserPolicy, put);
    assert_eq!(
        refused(&mut fixture, delete_user.clone()),
        "DeleteConflict 409: Cannot delete entity, must delete policies first."
    );
    let gone = DeleteUserPolicyRequest {
        user_name: text("Anne"),
        policy_name: text("p"),
    };
    done!(fixture, DeleteUserPolicy, gone);
    done!(fixture, DeleteUser, delete_user);
    done!(fixture, DeleteGroup, delete_group());
}

#[test]
fn policies_of_users_are_smaller_than_those_of_roles() {
    let mut fixture = Fixture::new();
    done!(fixture, CreateUser, create_user("anna"));
    let actions = vec!["\"logs:CreateLogGroup\""; 100].join(",");
    let long =
        format!(r#"{{"Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}]}}"#);
    let put = PutUserPolicyRequest {
        user_name: text("anna"),
        policy_name: text("long"),
        policy_document: text(&long),
    };
    assert_eq!(
        refused(&mut fixture, put),
        "LimitExceeded 409: Cannot exceed quota for PolicySize: 2048"
    );
    assert_eq!(
        refused(&mut fixture, GetUserRequest::default()),
        "ValidationError 400: Must specify userName when calling with non-User credentials"
    );
}
