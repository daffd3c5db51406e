//! What a call of IAM is about ("Actions, resources, and condition keys for AWS Identity and Access Management").

use model::{State, Tags};

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
        let path = path_of(state, noun, name).or(value("Path")).unwrap_or("/");
        Some(arn(noun, &format!("{path}{name}")))
    });
    let listed = LISTED.iter().find(|(action, _)| *action == operation);
    let listed = listed.map(|(_, noun)| arn(noun, value("PathPrefix").unwrap_or("/")));
    let resource = named
        .or_else(|| value("PolicyArn").map(str::to_owned))
        .or(listed)
        .unwrap_or_else(|| "*".to_owned());
    let mut keys = tags_of_form(form);
    if let Some(policy) = value("PolicyArn") {
        keys.push(("iam:PolicyARN".to_owned(), vec![policy.to_owned()]));
    }
    let mut calls = vec![Asked {
        action: format!("iam:{operation}"),
        resources: vec![resource],
        keys,
    }];
    // Who gives a role to instances needs to be allowed that, too.
    if operation == "AddRoleToInstanceProfile"
        && let Some(name) = value("RoleName")
    {
        let path = path_of(state, "role", name).unwrap_or("/");
        calls.push(Asked {
            action: "iam:PassRole".to_owned(),
            resources: vec![arn("role", &format!("{path}{name}"))],
            keys: Keys::new(),
        });
    }
    calls
}

fn path_of<'s>(state: &'s State, noun: &str, name: &str) -> Option<&'s str> {
    let key = name.to_ascii_lowercase();
    Some(match noun {
        "user" => &state.users.get(&key)?.path,
        "group" => &state.groups.get(&key)?.path,
        "role" => &state.roles.get(&key)?.path,
        "policy" => &state.managed_policies.get(&key)?.path,
        _ => &state.instance_profiles.get(&key)?.path,
    })
}

/// The tags of what an ARN names, as conditions know them.
pub(super) fn keys(state: &State, arn: &str) -> Keys {
    let key = permissions::key(arn);
    let resource = arn.rsplit(':').next().unwrap_or_default();
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
