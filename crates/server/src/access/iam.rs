//! What a call of IAM is about ("Actions, resources, and condition keys for AWS Identity and Access Management").

use model::{AccountId, Region, Scope, State, Tags, World};

use super::{Asked, Keys, tags_of_form};
use crate::auth::Identity;
use crate::permissions;

/// Parameters that name what a call is about, the one that counts first, and the noun in its ARN. A user is put into a group,
/// a role into an instance profile; policies are attached to what is named beside them.
const NAMED: [(&str, &str); 5] = [
    ("InstanceProfileName", "instance-profile"),
    ("GroupName", "group"),
    ("UserName", "user"),
    ("RoleName", "role"),
    ("PolicyName", "policy"),
];

/// Calls about many, by what they list.
const LISTED: [(&str, &str); 5] = [
    ("ListUsers", "user"),
    ("ListGroups", "group"),
    ("ListRoles", "role"),
    ("ListPolicies", "policy"),
    ("ListInstanceProfiles", "instance-profile"),
];

/// What a call asks for.
pub(super) fn asked(state: &State, identity: &Identity, form: &[(String, String)]) -> Vec<Asked> {
    let value = |name: &str| {
        let found = form.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let account = &identity.caller.account;
    let arn = |noun: &str, place: &str| format!("arn:aws:iam::{account}:{noun}{place}");
    let operation = value("Action").unwrap_or_default();
    let named = NAMED.iter().find_map(|(parameter, noun)| {
        let name = value(parameter)?;
        // By the name that it has: case does not count when it is looked for.
        let (path, name) =
            place_of(state, noun, name).unwrap_or((value("Path").unwrap_or("/"), name));
        Some(arn(noun, &format!("{path}{name}")))
    });
    let listed = LISTED.iter().find(|(action, _)| *action == operation);
    let listed = listed.map(|(_, noun)| arn(noun, value("PathPrefix").unwrap_or("/")));
    let resource = named
        .or_else(|| value("PolicyArn").map(str::to_owned))
        .or(listed)
        .unwrap_or_else(|| "*".to_owned());
    let mut resources = vec![resource];
    // Who renames or moves a user needs to be allowed both ("UpdateUser").
    if let ("UpdateUser", Some(user)) = (operation, value("UserName")) {
        let (path, name) = place_of(state, "user", user).unwrap_or(("/", user));
        let (path, name) = (
            value("NewPath").unwrap_or(path),
            value("NewUserName").unwrap_or(name),
        );
        resources.push(arn("user", &format!("{path}{name}")));
        resources.dedup();
    }
    let mut keys = tags_of_form(form);
    if let Some(policy) = value("PolicyArn") {
        keys.push(("iam:PolicyARN".to_owned(), vec![policy.to_owned()]));
    }
    let mut calls = vec![Asked {
        action: format!("iam:{operation}"),
        resources,
        keys,
    }];
    // Who gives a role to instances needs to be allowed that, too.
    if operation == "AddRoleToInstanceProfile"
        && let Some(name) = value("RoleName")
    {
        let (path, name) = place_of(state, "role", name).unwrap_or(("/", name));
        let role = arn("role", &format!("{path}{name}"));
        calls.push(pass_role(&role, "ec2.amazonaws.com"));
    }
    calls
}

/// That a role is given to a service ("Grant a user permissions to pass a role to an AWS service").
pub(super) fn pass_role(role: &str, service: &str) -> Asked {
    Asked {
        action: "iam:PassRole".to_owned(),
        resources: vec![role.to_owned()],
        keys: vec![("iam:PassedToService".to_owned(), vec![service.to_owned()])],
    }
}

/// The ARN of the role in an instance profile, which is named by its name or its ARN. A role is asked for even if IAM knows
/// none: the profile may get one later.
pub(super) fn role_of_profile(world: &World, account: AccountId, profile: &str) -> String {
    let region = Region::GLOBAL;
    let state = world.region(&Scope { account, region });
    let key = permissions::key(profile);
    let profile = state.and_then(|state| state.instance_profiles.get(&key));
    let role = profile.and_then(|profile| profile.role.as_deref());
    let place = role.and_then(|role| place_of(state?, "role", role));
    let (path, name) = place.unwrap_or(("/", "*"));
    format!("arn:aws:iam::{account}:role{path}{name}")
}

/// The path and the name of an entity.
fn place_of<'s>(state: &'s State, noun: &str, name: &str) -> Option<(&'s str, &'s str)> {
    let key = name.to_ascii_lowercase();
    macro_rules! place {
        ($table:ident) => {{
            let row = state.$table.get(&key)?;
            (&row.path, &row.name)
        }};
    }
    let (path, name) = match noun {
        "user" => place!(users),
        "group" => place!(groups),
        "role" => place!(roles),
        "policy" => place!(managed_policies),
        _ => place!(instance_profiles),
    };
    Some((path, name))
}

/// The tags of what an ARN names, as conditions know them.
pub(super) fn keys(state: &State, arn: &str) -> Keys {
    let key = permissions::key(arn);
    // Paths may have colons.
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let tags: Option<&Tags> = match resource.split('/').next() {
        Some("user") => state.users.get(&key).map(|row| &row.tags),
        Some("role") => state.roles.get(&key).map(|row| &row.tags),
        Some("policy") => state.managed_policies.get(&key).map(|row| &row.tags),
        Some("instance-profile") => state.instance_profiles.get(&key).map(|row| &row.tags),
        _ => None,
    };
    let mut keys = Keys::new();
    for (key, value) in tags.into_iter().flatten() {
        for name in ["aws:ResourceTag", "iam:ResourceTag"] {
            keys.push((format!("{name}/{key}"), vec![value.clone()]));
        }
    }
    keys
}
